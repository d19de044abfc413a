#include "faces/http/route.h"

#include "base/text.h"

#define WAIT                                                                \
    { "wait", PARAM_WAIT, "so many other members must hold it, or `all`" }, \
    {                                                                       \
        "wait_ms", PARAM_INT, "for how long to wait for them [10000]"       \
    }
#define FORCE                                           \
    {                                                   \
        "force", PARAM_BOOL,                            \
            "even if this device was told that it was " \
            "removed"                                   \
    }

const struct route routes[] = {
    { HTTP_GET, "/health", HUB_OPEN, "status", BODY_NONE, ANSWER_HEALTH,
        .id = "health", .tag = "node",
        .summary = "Is it alive, and ready to take writes?" },
    { HTTP_GET, "/openapi.json", HUB_OPEN, NULL, BODY_NONE, ANSWER_OPENAPI,
        .id = "openapi", .tag = "node", .summary = "This document" },
    { HTTP_POST, "/v1/session", HUB_OPEN, "session_open", BODY_ARGS,
        ANSWER_SESSION, .id = "openSession", .tag = "node",
        .summary = "Sign in to the dashboard by a link of `syncline dashboard`",
        .args = { { "link", PARAM_STR, "what stands behind `#sign-in=`" } } },
    { HTTP_DELETE, "/v1/session", HUB_READ, "session_close", BODY_NONE,
        ANSWER_SESSION, .id = "closeSession", .tag = "node",
        .summary = "Sign out" },
    { HTTP_GET, "/metrics", HUB_READ, "metrics", BODY_NONE, ANSWER_METRICS,
        .id = "metrics", .tag = "node",
        .summary = "Figures in the Prometheus text format, or OpenMetrics if "
                   "`Accept` asks for it" },
    { HTTP_GET, "/v1/status", HUB_READ, "status", BODY_NONE, ANSWER_OBJECT,
        .id = "status", .tag = "node", .summary = "All that the node knows" },
    { HTTP_GET, "/v1/doctor", HUB_READ, "doctor", BODY_NONE, ANSWER_OBJECT,
        .id = "doctor", .tag = "node",
        .summary = "What is unusual, and what to do about it" },
    { HTTP_GET, "/v1/errors", HUB_READ, "errors", BODY_NONE, ANSWER_OBJECT,
        .id = "listErrors", .tag = "node",
        .summary = "What went wrong, where, since when, and what to do",
        .query = { { "all", PARAM_BOOL, "what is over, too" } } },
    { HTTP_POST, "/v1/errors/{id}", HUB_ADMIN, "error_ack", BODY_ARGS,
        ANSWER_OBJECT, .id = "acknowledgeError", .tag = "node",
        .summary = "Say that somebody knows of it; the id `all`: of all",
        .args = { { "ack", PARAM_BOOL, "false: it is open again [true]" },
            { "by", PARAM_STR, "who knows of it" } } },
    { HTTP_GET, "/v1/config", HUB_ADMIN, "config", BODY_NONE, ANSWER_OBJECT,
        .id = "getConfig", .tag = "node",
        .summary = "Every option: value, default, bounds, where it is from" },
    { HTTP_PATCH, "/v1/config", HUB_ADMIN, "config_set", BODY_VALUE,
        ANSWER_OBJECT, .id = "changeConfig", .tag = "node",
        .summary = "Change options in the configuration file: an object of "
                   "names and values; null: back to the default" },
    { HTTP_GET, "/v1/log", HUB_READ, "log", BODY_NONE, ANSWER_OBJECT,
        .id = "getLog", .tag = "node",
        .summary = "How much is logged of what" },
    { HTTP_PATCH, "/v1/log", HUB_ADMIN, "log_level", BODY_ARGS, ANSWER_OBJECT,
        .id = "setLogLevel", .tag = "node",
        .summary = "Log more or less until the next start",
        .args = { { "level", PARAM_STR,
                      "`error`, `warn`, `info`, `debug`, `default`" },
            { "module", PARAM_STR, "of this module only" } } },
    { HTTP_GET, "/v1/tokens", HUB_ADMIN, "token_list", BODY_NONE, ANSWER_OBJECT,
        .id = "listTokens", .tag = "node",
        .summary = "The tokens that let programs in; no secrets" },
    { HTTP_POST, "/v1/tokens", HUB_ADMIN, "token_create", BODY_ARGS,
        ANSWER_OBJECT, .id = "createToken", .tag = "node",
        .summary = "Make a token; its secret is told this once",
        .args = { { "name", PARAM_STR, "1 to 64 of `A-Za-z0-9._-`" },
            { "scope", PARAM_STR, "`read`, `write`, `admin` [read]" },
            { "spaces", PARAM_ARRAY, "array of names; left out: all" },
            { "expires_s", PARAM_INT, "seconds; left out: for ever" } } },
    { HTTP_DELETE, "/v1/tokens/{who}", HUB_ADMIN, "token_revoke", BODY_NONE,
        ANSWER_OBJECT, .id = "revokeToken", .tag = "node",
        .summary = "Let nobody in by it any more" },
    { HTTP_GET, "/v1/audit", HUB_ADMIN, "audit", BODY_NONE, ANSWER_OBJECT,
        .id = "audit", .tag = "node",
        .summary = "Number and hash of the audit log's last record" },

    { HTTP_GET, "/v1/audit/records", HUB_ADMIN, "audit_records", BODY_NONE,
        ANSWER_OBJECT, .id = "listAuditRecords", .tag = "node",
        .summary = "Records of the audit log, the oldest first",
        .query = { { "after", PARAM_INT,
                       "those behind that number; left out: the last ones" },
            { "limit", PARAM_INT, "so many at most [100]" } } },
    { HTTP_GET, "/v1/metrics/recent", HUB_READ, "recent", BODY_NONE,
        ANSWER_OBJECT, .id = "recentMetrics", .tag = "node",
        .summary = "Figures of the last ten minutes, a sample a second, taken "
                   "since somebody asks",
        .query = { { "since", PARAM_INT,
            "samples later than that time (microseconds)" } } },

    { HTTP_GET, "/v1/spaces", HUB_READ, "spaces", BODY_NONE, ANSWER_OBJECT,
        .id = "listSpaces", .tag = "spaces", .summary = "All spaces" },
    { HTTP_PUT, "/v1/spaces/{name}", HUB_ADMIN, "space_add", BODY_NONE,
        ANSWER_OBJECT, .id = "addSpace", .tag = "spaces",
        .summary = "Make a space", .query = { WAIT } },
    { HTTP_DELETE, "/v1/spaces/{name}", HUB_ADMIN, "space_rm", BODY_NONE,
        ANSWER_OBJECT, .id = "removeSpace", .tag = "spaces",
        .summary = "Delete a space and its items, on every member",
        .query = { WAIT } },
    { HTTP_GET, "/v1/policies", HUB_READ, "policies", BODY_NONE, ANSWER_OBJECT,
        .id = "listPolicies", .tag = "spaces",
        .summary = "How conflicts are settled, in the order of weight",
        .query = { { "space", PARAM_STR, "of this space only" } },
        .is_of_spaces = true },
    { HTTP_PUT, "/v1/spaces/{space}/policy", HUB_ADMIN, "policy_set", BODY_ARGS,
        ANSWER_OBJECT, .id = "setPolicy", .tag = "spaces",
        .summary = "Say how conflicts are settled", .query = { WAIT },
        .args = { { "prefix", PARAM_STR, "of keys; empty: all" },
            { "policy", PARAM_STR,
                "`lww`, `merge`, `manual`, `keep-both`, `custom`" } } },

    { HTTP_GET, "/v1/spaces/{space}/items", HUB_READ, "ls", BODY_NONE,
        ANSWER_OBJECT, .id = "listItems", .tag = "items",
        .summary = "Items by key, a page at a time",
        .query = { { "prefix", PARAM_STR, "keys that begin so" },
            { "after", PARAM_STR, "the last key of the page before" },
            { "limit", PARAM_INT, "so many at most [1000]" },
            { "values", PARAM_BOOL, "with their documents" },
            { "preview", PARAM_INT,
                "with their documents' first characters, so many, and how "
                "many bytes they have" } } },
    { HTTP_POST, "/v1/spaces/{space}/items", HUB_WRITE, "batch", BODY_ARGS,
        ANSWER_OBJECT, .id = "writeBatch", .tag = "items",
        .summary = "Write several items, all or nothing", .query = { WAIT },
        .args = { { "ops", PARAM_ARRAY,
            "array of `{\"key\", \"value\"}` or `{\"key\", \"delete\": "
            "true}`" } } },
    { HTTP_GET, "/v1/spaces/{space}/items/{key...}", HUB_READ, "get", BODY_NONE,
        ANSWER_VALUE, .id = "getItem", .tag = "items",
        .summary = "An item's document; `ETag` names its context" },
    { HTTP_PUT, "/v1/spaces/{space}/items/{key...}", HUB_WRITE, "put",
        BODY_VALUE, ANSWER_OBJECT, .id = "putItem", .tag = "items",
        .summary = "Write an item; with `If-Match` only as it was read, with "
                   "`If-None-Match: *` only a new one",
        .query = { WAIT } },
    { HTTP_PATCH, "/v1/spaces/{space}/items/{key...}", HUB_WRITE, "patch",
        BODY_PATCH, ANSWER_OBJECT, .id = "patchItem", .tag = "items",
        .summary = "Change members of an item (RFC 7396), or by a list of "
                   "operations (RFC 6902)",
        .query = { WAIT } },
    { HTTP_DELETE, "/v1/spaces/{space}/items/{key...}", HUB_WRITE, "del",
        BODY_NONE, ANSWER_OBJECT, .id = "deleteItem", .tag = "items",
        .summary = "Delete an item", .query = { WAIT } },
    { HTTP_GET, "/v1/spaces/{space}/history/{key...}", HUB_READ, "history",
        BODY_NONE, ANSWER_OBJECT, .id = "history", .tag = "items",
        .summary = "An item's versions, oldest first",
        .query = { { "after", PARAM_INT,
                       "the last version of the page before" },
            { "before", PARAM_INT,
                "newest first: those in front of this one; 0: from the "
                "present on" },
            { "limit", PARAM_INT, "so many at most, and 8 MiB [all]" },
            { "values", PARAM_BOOL,
                "false: how many bytes each has, in place of the value" } } },
    { HTTP_POST, "/v1/spaces/{space}/restore/{key...}", HUB_WRITE, "restore",
        BODY_ARGS, ANSWER_OBJECT, .id = "restore", .tag = "items",
        .summary = "Write a version of before again", .query = { WAIT },
        .args = { { "version", PARAM_INT, "as history numbers them" } } },
    { HTTP_GET, "/v1/spaces/{space}/watch", HUB_READ, "watch", BODY_NONE,
        ANSWER_STREAM, .id = "watch", .tag = "items",
        .summary = "Changes as Server-Sent Events; `Last-Event-ID` resumes",
        .query = { { "prefix", PARAM_STR, "keys that begin so" },
            { "from", PARAM_STR,
                "a cursor, or `start`; left out: from now" } } },

    { HTTP_GET, "/v1/socket", HUB_READ, "watch", BODY_NONE, ANSWER_SOCKET,
        .id = "socket", .tag = "items",
        .summary = "Watches over a WebSocket, protocol `syncline.v1`; a page "
                   "gives its token as another one, `bearer.TOKEN`" },

    { HTTP_GET, "/sync", HUB_WRITE, NULL, BODY_NONE, ANSWER_INSTANCE,
        .id = "configSync", .tag = "items",
        .summary = "Messages of a config-sync instance over a WebSocket, if "
                   "such are served" },

    { HTTP_GET, "/isync", HUB_READ, "isync_page", BODY_NONE, ANSWER_PAGE,
        .id = "isyncPage", .tag = "isync",
        .summary = "iControl's page of iSync, if iSync nodes are spoken with" },
    { HTTP_GET, "/peers", HUB_READ, "isync_page", BODY_NONE, ANSWER_PAGE,
        .id = "isyncPeersPage", .tag = "isync",
        .summary = "iSync's page of peers" },
    { HTTP_GET, "/config", HUB_READ, "isync_page", BODY_NONE, ANSWER_PAGE,
        .id = "isyncConfigPage", .tag = "isync",
        .summary = "iSync's page of settings" },
    { HTTP_GET, "/config/edit/{id}", HUB_ADMIN, "isync_page", BODY_NONE,
        ANSWER_PAGE, .id = "isyncEditPage", .tag = "isync",
        .summary = "iSync's form for one of them" },
    { HTTP_POST, "/config/edit/{id}", HUB_ADMIN, "isync_post", BODY_ARGS,
        ANSWER_PAGE, .id = "isyncEdit", .tag = "isync", .summary = "Change it",
        .args = { { "value", PARAM_STR, "to this" },
            { "description", PARAM_STR, "is not looked at" } } },
    { HTTP_POST, "/connect_peer", HUB_ADMIN, "isync_post", BODY_ARGS,
        ANSWER_PAGE, .id = "isyncConnect", .tag = "isync",
        .summary = "Call one more iSync node",
        .args = { { "peer_url", PARAM_STR, "`https://host:5342`" } } },
    { HTTP_POST, "/sync_now", HUB_WRITE, "isync_post", BODY_ARGS, ANSWER_PAGE,
        .id = "isyncNow", .tag = "isync",
        .summary = "Say all to all iSync nodes" },
    { HTTP_POST, "/isync/sync_now", HUB_WRITE, "isync_post", BODY_ARGS,
        ANSWER_PAGE, .id = "isyncNowToo", .tag = "isync",
        .summary = "The same, as iControl has it" },
    { HTTP_POST, "/isync/toggle", HUB_ADMIN, "isync_post", BODY_ARGS,
        ANSWER_PAGE, .id = "isyncToggle", .tag = "isync",
        .summary = "Stop speaking with iSync nodes, or go on" },
    { HTTP_GET, "/isync/config", HUB_ADMIN, "isync_page", BODY_NONE,
        ANSWER_PAGE, .id = "isyncSettingsPage", .tag = "isync",
        .summary = "iControl's form of settings" },
    { HTTP_POST, "/isync/config", HUB_ADMIN, "isync_post", BODY_ARGS,
        ANSWER_PAGE, .id = "isyncSettings", .tag = "isync",
        .summary = "Change them",
        .args = { { "peer_urls", PARAM_STR, "with commas between" },
            { "isync_token", PARAM_STR, "left out: as it is" },
            { "auto_discover", PARAM_BOOL, "call nodes of a list" } } },
    { HTTP_GET, "/api/stats", HUB_READ, "isync_page", BODY_NONE, ANSWER_PAGE,
        .id = "isyncStats", .tag = "isync", .summary = "iSync's figures" },
    { HTTP_GET, "/api/isync/status", HUB_READ, "isync_page", BODY_NONE,
        ANSWER_PAGE, .id = "isyncStatus", .tag = "isync",
        .summary = "iSync's state, as iControl tells it" },

    { HTTP_GET, "/v1/files", HUB_ADMIN, "bindings", BODY_NONE, ANSWER_OBJECT,
        .id = "listFiles", .tag = "files",
        .summary =
            "Files that are bound to items, and what is wrong with them" },
    { HTTP_POST, "/v1/files", HUB_ADMIN, "bind", BODY_ARGS, ANSWER_OBJECT,
        .id = "bindFile", .tag = "files",
        .summary = "Keep a file of this machine and an item the same; only "
                   "below `files.root`, and if `files.http` says so",
        .args = { { "file", PARAM_STR, "its whole path" },
            { "space", PARAM_STR, "the item's [default]" },
            { "key", PARAM_STR, "the item's" },
            { "prefer", PARAM_STR,
                "if both are there and differ: `file`, `item`, `merge`" },
            { "format", PARAM_STR, "`json`, `yaml` [by the name]" },
            { "schema", PARAM_ANY, "JSON Schema that whatever is taken keeps" },
            { "local", PARAM_ARRAY, "pointers to what stays on this machine" },
            { "versions", PARAM_INT, "so many are kept [10]" } } },
    { HTTP_DELETE, "/v1/files/{id}", HUB_ADMIN, "unbind", BODY_NONE,
        ANSWER_OBJECT, .id = "unbindFile", .tag = "files",
        .summary = "No longer keep them the same; both stay as they are" },
    { HTTP_POST, "/v1/files/{id}/restore", HUB_ADMIN, "bind_restore", BODY_ARGS,
        ANSWER_OBJECT, .id = "restoreFile", .tag = "files",
        .summary = "Make the file what its item says, whatever it is" },
    { HTTP_POST, "/v1/files/{id}/rollback", HUB_ADMIN, "rollback", BODY_ARGS,
        ANSWER_OBJECT, .id = "rollBackFile", .tag = "files",
        .summary = "Make it what it was, on all members",
        .args = { { "version", PARAM_STR, "a name, or `latest`" },
            { "to", PARAM_INT,
                "or the last that is not younger (microseconds)" } } },
    { HTTP_GET, "/v1/files/{id}/versions", HUB_ADMIN, "versions", BODY_NONE,
        ANSWER_OBJECT, .id = "listFileVersions", .tag = "files",
        .summary = "What is kept of what it was, the oldest first" },
    { HTTP_GET, "/v1/files/{id}/versions/{version}", HUB_ADMIN, "versions",
        BODY_NONE, ANSWER_OBJECT, .id = "getFileVersion", .tag = "files",
        .summary = "What it said, without what stays on that machine" },

    { HTTP_GET, "/v1/conflicts", HUB_READ, "conflicts", BODY_NONE,
        ANSWER_OBJECT, .id = "listConflicts", .tag = "conflicts",
        .summary = "What lost against a concurrent change",
        .query = { { "space", PARAM_STR, "of this space only" },
            { "key", PARAM_STR, "of this item only" },
            { "all", PARAM_BOOL, "those that are settled, too" } } },
    { HTTP_POST, "/v1/conflicts/{id}", HUB_WRITE, "resolve", BODY_ARGS,
        ANSWER_OBJECT, .id = "resolveConflict", .tag = "conflicts",
        .summary = "Settle a conflict by one side or by another value",
        .query = { WAIT },
        .args = { { "take", PARAM_STR, "`winner` or `loser`" },
            { "value", PARAM_ANY, "or any JSON value in their place" } } },
    { HTTP_GET, "/v1/rescue", HUB_READ, "rescue", BODY_NONE, ANSWER_OBJECT,
        .id = "listRescue", .tag = "conflicts",
        .summary = "What returned members brought of deleted items",
        .query = { { "space", PARAM_STR, "of this space only" },
            { "key", PARAM_STR, "of this item only" },
            { "all", PARAM_BOOL, "what is settled, too" } } },
    { HTTP_POST, "/v1/rescue", HUB_WRITE, "rescue_apply", BODY_ARGS,
        ANSWER_OBJECT, .id = "applyRescue", .tag = "conflicts",
        .summary = "Write it back, or drop it", .query = { WAIT },
        .args = { { "take", PARAM_STR, "`apply` or `drop`" },
            { "space", PARAM_STR, "of this space" },
            { "key", PARAM_STR, "of this item" },
            { "all", PARAM_BOOL, "of all items" } } },

    { HTTP_GET, "/v1/peers", HUB_READ, "peers", BODY_NONE, ANSWER_OBJECT,
        .id = "peers", .tag = "mesh",
        .summary = "The other members, and how they are reached" },
    { HTTP_GET, "/v1/mesh", HUB_READ, "mesh", BODY_NONE, ANSWER_OBJECT,
        .id = "mesh", .tag = "mesh",
        .summary = "Nodes and links, as a picture of the mesh takes them" },
    { HTTP_POST, "/v1/sync", HUB_WRITE, "sync", BODY_ARGS, ANSWER_OBJECT,
        .id = "sync", .tag = "mesh",
        .summary = "Reach the others, and answer when they hold the same",
        .args = { { "peer", PARAM_STR, "one of them, by name or id" },
            { "wait_ms", PARAM_INT, "for how long at most [10000]" } } },
    { HTTP_GET, "/v1/members", HUB_READ, "members", BODY_NONE, ANSWER_OBJECT,
        .id = "members", .tag = "mesh", .summary = "Who belongs to the mesh",
        .query = { { "all", PARAM_BOOL, "removed ones, too" } } },
    { HTTP_POST, "/v1/members/{device}/grant", HUB_ADMIN, "grant", BODY_ARGS,
        ANSWER_OBJECT, .id = "grant", .tag = "mesh",
        .summary = "Give a role or spaces", .query = { WAIT },
        .args = { { "role", PARAM_STR, "`admin`, `member`, `reader`, `relay`" },
            { "spaces", PARAM_ARRAY, "array of names, added" },
            { "only", PARAM_BOOL, "these and no other" },
            { "all_spaces", PARAM_BOOL, "all there are" }, FORCE } },
    { HTTP_POST, "/v1/members/{device}/revoke", HUB_ADMIN, "revoke", BODY_ARGS,
        ANSWER_OBJECT, .id = "revoke", .tag = "mesh",
        .summary = "Take spaces away", .query = { WAIT },
        .args = { { "spaces", PARAM_ARRAY, "array of names" }, FORCE } },
    { HTTP_DELETE, "/v1/members/{device}", HUB_ADMIN, "remove", BODY_NONE,
        ANSWER_OBJECT, .id = "removeMember", .tag = "mesh",
        .summary = "Shut a device out", .query = { WAIT, FORCE } },
    { HTTP_POST, "/v1/rotate", HUB_ADMIN, "rotate", BODY_ARGS, ANSWER_OBJECT,
        .id = "rotate", .tag = "mesh",
        .summary = "Change the keys by which everything is sealed",
        .query = { WAIT }, .args = { FORCE } },
    { HTTP_POST, "/v1/invitations", HUB_ADMIN, "invite", BODY_ARGS,
        ANSWER_OBJECT, .id = "invite", .tag = "mesh",
        .summary = "A code by which one device may join",
        .args = { { "expires_s", PARAM_INT, "good for so long [600]" },
            { "role", PARAM_STR, "`admin`, `member`, `reader`, `relay`" },
            { "spaces", PARAM_ARRAY, "array of names" },
            { "addresses", PARAM_ARRAY, "array of `host:port`" },
            { "qr", PARAM_BOOL, "with its picture: rows of modules, and SVG" },
            FORCE } },
    { HTTP_POST, "/v1/join", HUB_ADMIN, "join", BODY_ARGS, ANSWER_OBJECT,
        .id = "join", .tag = "mesh",
        .summary = "Let this device join a mesh: by a code; or without one, "
                   "then its digits are in joinState, and this is answered "
                   "when both sides have said yes",
        .args = { { "code", PARAM_STR, "of an invitation" },
            { "peer", PARAM_STR, "`address:port`: whom to ask" },
            { "discard", PARAM_BOOL, "what is here, in place of keeping it" },
            { "leave", PARAM_BOOL, "the mesh that it is in" } } },
    { HTTP_GET, "/v1/join", HUB_READ, "join_state", BODY_NONE, ANSWER_OBJECT,
        .id = "joinState", .tag = "mesh",
        .summary = "How the last join is getting on; its digits" },
    { HTTP_DELETE, "/v1/join", HUB_ADMIN, "join_cancel", BODY_NONE,
        ANSWER_OBJECT, .id = "giveUpJoin", .tag = "mesh",
        .summary = "Give up the join that waits" },
    { HTTP_POST, "/v1/join/confirm", HUB_ADMIN, "confirm", BODY_ARGS,
        ANSWER_OBJECT, .id = "confirmJoin", .tag = "mesh",
        .summary = "The digits are the same on both sides; others end it",
        .args = { { "digits", PARAM_STR, "as the other side shows them" } } },
    { HTTP_GET, "/v1/pending", HUB_READ, "pending", BODY_NONE, ANSWER_OBJECT,
        .id = "pending", .tag = "mesh",
        .summary = "The device that asks to join without a code" },
    { HTTP_POST, "/v1/pending", HUB_ADMIN, "pending_open", BODY_ARGS,
        ANSWER_OBJECT, .id = "openPairing", .tag = "mesh",
        .summary = "Let devices ask without a code for a while",
        .args = { { "for_s", PARAM_INT, "seconds [120]; 0 shuts the door" },
            FORCE } },
    { HTTP_POST, "/v1/pending/{who}", HUB_ADMIN, "approve", BODY_ARGS,
        ANSWER_OBJECT, .id = "approve", .tag = "mesh",
        .summary = "Let it in, if the digits are the same on both sides",
        .args = { { "role", PARAM_STR, "`admin`, `member`, `reader`, `relay`" },
            { "spaces", PARAM_ARRAY, "array of names" } } },
    { HTTP_DELETE, "/v1/pending/{who}", HUB_ADMIN, "deny", BODY_NONE,
        ANSWER_OBJECT, .id = "deny", .tag = "mesh", .summary = "Send it away" },
    { HTTP_GET, "/v1/verify", HUB_READ, "verify", BODY_NONE, ANSWER_OBJECT,
        .id = "verify", .tag = "mesh",
        .summary = "Do all members that are connected hold the same?",
        .query = { { "space", PARAM_STR, "this space only" } } },
    { HTTP_GET, "/v1/clock", HUB_READ, "clock", BODY_NONE, ANSWER_OBJECT,
        .id = "clock", .tag = "mesh", .summary = "Whose clock is wrong" },
    { HTTP_POST, "/v1/clock/reset", HUB_ADMIN, "clock_reset", BODY_ARGS,
        ANSWER_OBJECT, .id = "resetClock", .tag = "mesh",
        .summary = "Begin a new epoch, after stamps from far ahead",
        .query = { WAIT }, .args = { FORCE } },
};
const size_t routes_n = sizeof routes / sizeof *routes;

bool route_has_param(const struct route *r, struct slice name)
{
    for (size_t i = 0; i < ROUTE_PARAMS && r->query[i].name != NULL; i++)
        if (slice_is(name, r->query[i].name))
            return true;
    return false;
}

const char *http_method_name(enum http_method m)
{
    static const char *const names[] = { "GET", "HEAD", "PUT", "POST", "PATCH",
        "DELETE", "OPTIONS", "?" };

    return names[m];
}

static int percent_decode(struct slice s, struct slice *out, struct arena *a)
{
    uint8_t *to = arena_alloc(a, s.len + 1);
    size_t n = 0;

    if (to == NULL)
        return SYNCLINE_ENOMEM;
    for (size_t i = 0; i < s.len; i++) {
        to[n] = s.ptr[i];
        if (s.ptr[i] == '%') {
            if (s.len - i < 3 ||
                hex_decode(to + n, 1, SLICE(s.ptr + i + 1, 2)) != SYNCLINE_OK)
                return SYNCLINE_EMALFORMED;
            i += 2;
        }
        n++;
    }
    *out = SLICE(to, n);
    return utf8_valid(*out) ? SYNCLINE_OK : SYNCLINE_EMALFORMED;
}

static struct slice cut_segment(struct slice *s)
{
    const uint8_t *end = s->len > 0 ? memchr(s->ptr, '/', s->len) : NULL;
    struct slice cut =
        SLICE(s->ptr, end != NULL ? (size_t)(end - s->ptr) : s->len);

    *s = slice_from(*s, end != NULL ? cut.len + 1 : s->len);
    return cut;
}

/* Does the path fit the row? Values are not decoded yet. */
static bool fits(const struct route *r, struct slice path, struct matched *m)
{
    struct slice row = slice_from(slice_str(r->path), 1);
    const bool ends_in_slash = path.len > 0 && path.ptr[path.len - 1] == '/';
    bool is_rest = false;

    m->n = 0;
    if (path.len == 0 || path.ptr[0] != '/')
        return false;
    path = slice_from(path, 1);
    while (row.len > 0) {
        struct slice want = cut_segment(&row), got;

        is_rest = want.len > 3 && want.ptr[want.len - 2] == '.';
        if (path.len == 0)
            return false;
        got = is_rest ? path : cut_segment(&path);
        if (is_rest)
            path = SLICE_NONE;
        if (want.ptr[0] != '{') {
            if (!slice_eq(want, got))
                return false;
            continue;
        }
        if (got.len == 0)
            return false;
        m->names[m->n] = SLICE(want.ptr + 1, want.len - (is_rest ? 5 : 2));
        m->values[m->n++] = got;
    }
    return path.len == 0 && (is_rest || !ends_in_slash);
}

/* A stream has no end, and so no HEAD. */
static bool has_head(const struct route *r)
{
    return r->method == HTTP_GET && r->answer != ANSWER_STREAM &&
        r->answer != ANSWER_SOCKET && r->answer != ANSWER_INSTANCE;
}

int route_match(struct matched *out, enum http_method method, struct slice path,
    struct buf *allow, struct arena *a)
{
    struct matched m = { .n = 0 };
    int rc = SYNCLINE_OK;

    if (method == HTTP_HEAD)
        method = HTTP_GET;
    for (size_t i = 0; i < routes_n; i++) {
        if (!fits(&routes[i], path, &m))
            continue;
        if (routes[i].method == method) {
            m.route = &routes[i];
            break;
        }
        buf_printf(allow, "%s%s%s", allow->len > 0 ? ", " : "",
            http_method_name(routes[i].method),
            has_head(&routes[i]) ? ", HEAD" : "");
    }
    if (m.route == NULL)
        return allow->len > 0 ? SYNCLINE_EUNSUPPORTED : SYNCLINE_ENOTFOUND;
    for (size_t i = 0; i < m.n && rc == SYNCLINE_OK; i++)
        rc = percent_decode(m.values[i], &m.values[i], a);
    if (rc == SYNCLINE_OK)
        *out = m;
    return rc;
}
