/* What the operations answer, for the OpenAPI document. A member is
 * NAME:TYPE, NAME?:TYPE where it may be missing. A type is i(nteger), n(umber),
 * s(tring), b(oolean), * (any value), {} (an object of any members), @NAME
 * (another row); before it [] (an array of it) or ~ (or null). */
#include "faces/http/route.h"

static const struct {
    const char *name, *of; /* operations, blank between */
    const char *members;
} schemas[] = {
    { "Nothing", "confirmJoin giveUpJoin unbindFile", "" },
    { "Written",
        "putItem patchItem deleteItem restore resolveConflict addSpace "
        "setPolicy",
        "changed:b version:i acks:i" },
    { "BatchWritten", "writeBatch", "changed:i acks:i" },
    { "ItemListed", "", "key:s version:i value?:* bytes?:i preview?:s" },
    { "Items", "listItems", "items:[]@ItemListed more_items:b" },
    { "Version", "",
        "version:i what:s device:~s name:~s removed?:b author?:@Author "
        "stamp:s time:i path?:s value?:* bytes?:i" },
    { "Author", "", "system:s node_id:s" },
    { "History", "history", "versions:[]@Version more_versions:b" },
    { "Health", "health",
        "status:s live:b ready:b instance_id?:s connected_clients?:i "
        "timestamp?:n model_loaded?:b model?:* version?:s" },
    { "Side", "",
        "path:s value?:* deleted?:b large?:b device:~s name:~s removed?:b "
        "author?:@Author time:i" },
    { "InEffect", "",
        "value?:* deleted?:b other?:b device?:~s name?:~s removed?:b "
        "author?:@Author time?:i" },
    { "Conflict", "",
        "id:s space:s key:s path:s state:s returned?:b winner:@Side "
        "loser:@Side now?:@InEffect" },
    { "Conflicts", "listConflicts", "conflicts:[]@Conflict" },
    { "Rescue", "listRescue", "rescue:[]{}" },
    { "Rescued", "applyRescue",
        "changed:b version:i acks:i items:i values:i more_items:b refused?:i "
        "why?:s" },
    { "IsyncStats", "isyncStats",
        "connected_peers:i database_stats:{} node_id:s sync_state:{}" },
    { "IsyncStatus", "isyncStatus",
        "connected_peers:i connected_to:[]s encryption_ready:b has_token:b "
        "last_sync_time:n node_id:s peer_urls:[]s sync_enabled:b" },
    { "FileTrouble", "", "code:s text:s" },
    { "BoundFile", "bindFile restoreFile rollBackFile",
        "id:s file:s space:s key:s versions_at?:s format:s versions:i "
        "local:[]s schema?:* runs:b state:s troubles:[]@FileTrouble "
        "version?:s" },
    { "BoundFiles", "listFiles", "bindings:[]@BoundFile" },
    { "FileVersions", "listFileVersions", "versions:[]s" },
    { "FileVersion", "getFileVersion", "version:s value:*" },
    { "Space", "",
        "name:s items:i deleted:i conflicts:i rescue:i fingerprint?:s "
        "vector?:{}" },
    { "Spaces", "listSpaces", "spaces:[]@Space" },
    { "SpaceRemoved", "removeSpace", "changed:b version:i acks:i items:i" },
    { "Policy", "", "space:s prefix:s policy:s" },
    { "Schema", "", "space:s prefix:s schema:*" },
    { "Policies", "listPolicies", "policies:[]@Policy schemas:[]@Schema" },
    { "Peer", "",
        "device:s name:~s role:~s state:s address:~s rtt_us:~i offset_us:~i "
        "behind:b lag:~i parked:b copies:b bytes_kept:i delays:~i broke:~i "
        "broke_last:* refused_ms:~i" },
    { "Peers", "peers", "peers:[]@Peer" },
    { "MeshNode", "",
        "device:s name:~s role:~s self:b connected:b copies:b parked?:b" },
    { "MeshLink", "",
        "from:s to:s state:s address:~s rtt_us:~i offset_us:~i lag:~i "
        "behind:b delays:~i broke:~i broke_last:* refused_ms:~i" },
    { "ClockWord", "", "ok:b verdict:s" },
    { "Mesh", "mesh",
        "mesh:~s time:i clock:@ClockWord nodes:[]@MeshNode links:[]@MeshLink" },
    { "SyncPeer", "", "device:s name:~s state:s lag:i" },
    { "Synced", "sync", "synced:b took_ms:i peers:[]@SyncPeer" },
    { "Member", "",
        "device:s name:~s role:~s spaces:* self:b connected:b removed:b "
        "since:~i by:~s by_name:~s" },
    { "Members", "members", "members:[]@Member" },
    { "MemberChanged", "grant revoke removeMember",
        "changed:b version:i acks:i device:s name:~s role:~s spaces:* "
        "codes_void:i unheard:b" },
    { "Rotated", "rotate", "changed:b version:i acks:i epoch:i unheard:b" },
    { "Picture", "", "rows:[]s size:i svg:s" },
    { "Invitation", "invite",
        "code:s expires:i role?:s spaces?:* qr?:@Picture" },
    { "Joined", "join", "mesh:s device:s name:~s kept:i role:~s spaces:*" },
    { "Joining", "joinState",
        "state:s code?:s error?:s digits?:s device?:~s name?:~s address?:~s "
        "mesh?:s kept?:i role?:~s spaces?:*" },
    { "Door", "openPairing", "open_s:i" },
    { "Asking", "",
        "device:s name:~s address:~s since:i digits:s confirmed:b approved:b "
        "member:b" },
    { "Pending", "pending", "open_s:i pending:[]@Asking" },
    { "Device", "approve deny", "device:s" },
    { "SpaceVerified", "", "name:s fingerprint:s" },
    { "MemberVerified", "",
        "device:s name:~s reachable:b agree:~b differ:[]*" },
    { "Verified", "verify",
        "agree:b spaces:[]@SpaceVerified members:[]@MemberVerified" },
    { "PeerClock", "", "device:~s name:~s offset_us:~i rtt_us:~i wrong:b" },
    { "Clocks", "",
        "time:i stamps:i ahead_us:~i bound_us:~i epoch:i far:b ok:b writes:b "
        "verdict:s wrong:[]* stamped:[]* peers?:[]@PeerClock" },
    { "Clock", "clock", "clock:@Clocks" },
    { "ClockReset", "resetClock", "changed:b version:i acks:i epoch:i" },
    { "Trouble", "",
        "id:s code:s level:s state:s what:~s advice:~s where:{} first:i "
        "last:i count:i by:~s at:~i" },
    { "Troubles", "listErrors", "open:i errors:[]@Trouble" },
    { "TroublesChanged", "acknowledgeError", "changed:i open:i" },
    { "Check", "", "name:s level:s ok:b text:s where:{} advice?:~s" },
    { "Checks", "doctor", "checks:[]@Check" },
    { "Option", "",
        "name:s type:s value?:* default?:* next?:* min?:* max?:* choices?:[]s "
        "source:s takes_effect:s by_hand:b help:s" },
    { "Options", "getConfig", "options:[]@Option" },
    { "OptionsChanged", "changeConfig", "changed:i restart:b trouble?:s" },
    { "LogModule", "", "name:s level:s own:b" },
    { "Log", "getLog setLogLevel",
        "levels:s configured:s modules:[]@LogModule" },
    { "Token", "",
        "id:s name:s scope:s spaces:* created:i expires:~i expired:b "
        "used:~i" },
    { "Tokens", "listTokens", "tokens:[]@Token" },
    { "TokenCreated", "createToken", "secret:s token:@Token" },
    { "TokenName", "", "id:s name:s" },
    { "TokenRevoked", "revokeToken", "token:@TokenName replaced?:b" },
    { "Session", "openSession closeSession", "session:s expires_s:i" },
    { "Audit", "audit", "seq:i hash:s trouble:~s" },
    { "AuditRecord", "",
        "seq:i time:i kind:s who:{} details:{} prev:s repeated?:i" },
    { "AuditRecords", "listAuditRecords",
        "newest:i more_records:b records:[]@AuditRecord" },
    { "PeerFigures", "", "device:s name:~s lag:[]~i rtt_us:[]~i" },
    { "Figures", "recentMetrics",
        "interval_ms:i keeps_s:i time:[]i changes:[]i commits:[]i "
        "items_in:[]i items_out:[]i bytes_in:[]i bytes_out:[]i arrivals:[]i "
        "propagation_p50_us:[]~i propagation_p99_us:[]~i "
        "peers:[]@PeerFigures" },
    { "Rows", "", "received:i sent:i walked:i" },
    { "Status", "status",
        "mesh:~s device:s name:~s role:~s replica:s epoch:i uptime_s:i "
        "listen:[]s joining:b copies:b clock:@Clocks spaces:[]@Space "
        "peers:[]@Peer rows:@Rows rss_bytes:i store_bytes:i https:{} audit:{} "
        "errors:{} files:{} forks:[]* withheld:[]*" },
    { "OpenApi", "openapi", "openapi:s info:{} paths:{} components:{}" },
};
static const size_t schemas_n = sizeof schemas / sizeof *schemas;

/* The name's place in a list with blanks between. */
static bool is_in(const char *list, const char *word)
{
    const size_t len = strlen(word);

    for (const char *at = strstr(list, word); at != NULL;
         at = strstr(at + 1, word))
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == 0))
            return true;
    return false;
}

static void put_type(struct buf *b, struct slice type)
{
    static const struct {
        char letter;
        const char *name;
    } simple[] = { { 'i', "integer" }, { 'n', "number" }, { 's', "string" },
        { 'b', "boolean" }, { '{', "object" } };

    if (slice_has_prefix(type, SLICE_LIT("[]"))) {
        buf_put_str(b, "{\"type\":\"array\",\"items\":");
        put_type(b, slice_from(type, 2));
        buf_put_u8(b, '}');
    } else if (type.ptr[0] == '~') {
        buf_put_str(b, "{\"anyOf\":[{\"type\":\"null\"},");
        put_type(b, slice_from(type, 1));
        buf_put_str(b, "]}");
    } else if (type.ptr[0] == '@') {
        buf_printf(b, "{\"$ref\":\"#/components/schemas/%.*s\"}",
            SLICE_FMT(slice_from(type, 1)));
    } else {
        for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
            if (type.ptr[0] == (uint8_t)simple[i].letter) {
                buf_printf(b, "{\"type\":\"%s\"}", simple[i].name);
                return;
            }
        buf_put_str(b, "{}");
    }
}

static struct slice cut_word(const char **at, const char *ends)
{
    const size_t n = strcspn(*at, ends);
    const struct slice word = SLICE((const uint8_t *)*at, n);

    *at += n + ((*at)[n] != 0);
    return word;
}

static void put_object(struct buf *b, const char *members)
{
    struct buf required = { 0 };
    bool any = false;

    buf_put_str(b, "{\"type\":\"object\",\"properties\":{");
    while (*members != 0) {
        struct slice name = cut_word(&members, ":");
        const struct slice type = cut_word(&members, " ");

        if (name.ptr[name.len - 1] == '?')
            name.len--;
        else
            buf_printf(&required, "%s\"%.*s\"", required.len > 0 ? "," : "",
                SLICE_FMT(name));
        buf_printf(b, "%s\"%.*s\":", any ? "," : "", SLICE_FMT(name));
        put_type(b, type);
        any = true;
    }
    buf_put_str(b, "},\"required\":[");
    buf_put_slice(b, buf_slice(&required));
    buf_put_str(b, "]}");
    buf_free(&required);
}

void openapi_put_schemas(struct buf *b)
{
    buf_put_str(b, "\"schemas\":{");
    for (size_t i = 0; i < schemas_n; i++) {
        buf_printf(b, "%s\"%s\":", i > 0 ? "," : "", schemas[i].name);
        put_object(b, schemas[i].members);
    }
    buf_put_u8(b, '}');
}

void openapi_put_answer(struct buf *b, const char *id)
{
    for (size_t i = 0; i < schemas_n; i++)
        if (is_in(schemas[i].of, id)) {
            buf_printf(
                b, "{\"$ref\":\"#/components/schemas/%s\"}", schemas[i].name);
            return;
        }
    buf_put_str(b, "{}");
}
