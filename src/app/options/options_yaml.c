/* options_yaml.c - the configuration file: YAML, checked by the table.
 *
 * `log: {level: debug}` and `log.level: debug` mean the same. What is wrong
 * is told with file, line and column. */
#include "app/options/options_table.h"

#include <yaml.h>

#define NAME_MAX_LEN 64
#define DEPTH_MAX 3

struct reading {
    struct options *o;
    const char *file;
    yaml_document_t *doc;
    struct errmsg *why;
    bool seen[OPTIONS_MAX];
    char said[2 * NAME_MAX_LEN + 4]; /* what the file calls the option */
};

static int wrong_at(struct reading *r, const yaml_mark_t *mark,
    const char *name, const char *what)
{
    return errmsg_set(r->why, SYNCLINE_EINVAL, "%s:%zu:%zu: %s%s%.300s",
        r->file, mark->line + 1, mark->column + 1, name,
        name[0] != 0 ? ": " : "", what);
}

static int wrong(struct reading *r, const yaml_node_t *node, const char *name,
    const char *what)
{
    return wrong_at(r, &node->start_mark, name, what);
}

/* Whoever wrote an older name looks for that, and learns ours. */
static void note_name(struct reading *r, size_t ix, const yaml_node_t *key)
{
    const char *name = option_rows[ix].name;
    const char *said = (const char *)key->data.scalar.value;
    const size_t n = strlen(name), len = strlen(said);
    const bool is_ours = len <= n && strcmp(name + n - len, said) == 0 &&
        (len == n || name[n - len - 1] == '.');

    if (is_ours)
        (void)snprintf(r->said, sizeof r->said, "%s", name);
    else
        (void)snprintf(
            r->said, sizeof r->said, "%.*s (%s)", NAME_MAX_LEN, said, name);
}

static bool is_null(const yaml_node_t *node)
{
    const char *s = (const char *)node->data.scalar.value;

    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        (s[0] == 0 || strcmp(s, "~") == 0 || strcmp(s, "null") == 0);
}

static int set_scalar(
    struct reading *r, size_t ix, const char *source, const yaml_node_t *node)
{
    const char *name = r->said;
    struct errmsg what = { "" };
    struct slice text;
    int rc;

    if (node->type != YAML_SCALAR_NODE || is_null(node)) {
        (void)snprintf(what.text, sizeof what.text, "wants %s%s",
            option_wants(option_rows[ix].type),
            node->type == YAML_SCALAR_NODE        ? "; leave the line out for "
                                                    "the default"
                : node->type == YAML_MAPPING_NODE ? ", not a mapping"
                                                  : ", not a list");
        return wrong(r, node, name, what.text);
    }
    text = SLICE(node->data.scalar.value, node->data.scalar.length);
    rc = options_set(r->o, ix, RANK_FILE, source, text, &what);
    if (rc == SYNCLINE_EINVAL)
        return wrong(r, node, name, what.text);
    return rc == SYNCLINE_OK ? rc : errmsg_set(r->why, rc, "%s", what.text);
}

static int set_option(struct reading *r, size_t ix, const yaml_node_t *key,
    const yaml_node_t *node)
{
    const enum option_type type = option_rows[ix].type;
    struct buf b = { 0 };
    const char *source = NULL;
    int rc = SYNCLINE_OK;

    note_name(r, ix, key);
    if (r->seen[ix])
        return wrong(r, key, r->said, "is set a second time");
    if (options_folder_is_settled(r->o) &&
        strcmp(option_rows[ix].name, "dir") == 0)
        return wrong(r, key, "dir",
            "cannot be set in the file that lies in it; use --dir, "
            "SYNCLINE_DIR or --config");
    r->seen[ix] = true;
    buf_printf(&b, "file %s:%zu", r->file, key->start_mark.line + 1);
    if (buf_status(&b) == SYNCLINE_OK)
        source =
            (const char *)arena_dup(options_arena(r->o), buf_slice(&b)).ptr;
    buf_free(&b);
    if (source == NULL)
        return errmsg_set(r->why, SYNCLINE_ENOMEM, "out of memory");
    if (node->type != YAML_SEQUENCE_NODE ||
        (type != OPTION_NAMES && type != OPTION_ADDRS))
        return set_scalar(r, ix, source, node);
    /* An empty list is a value too. */
    rc = options_set(r->o, ix, RANK_FILE, source, SLICE_NONE, r->why);
    for (yaml_node_item_t *at = node->data.sequence.items.start;
         rc == SYNCLINE_OK && at < node->data.sequence.items.top; at++)
        rc = set_scalar(r, ix, source, yaml_document_get_node(r->doc, *at));
    return rc;
}

/* The dotted name of a key below prefix. */
static int join_name(struct reading *r, const yaml_node_t *key,
    const char *prefix, char out[NAME_MAX_LEN])
{
    int n;

    if (key->type != YAML_SCALAR_NODE)
        return wrong(r, key, "", "a key must be a plain word");
    n = snprintf(out, NAME_MAX_LEN, "%s%s%s", prefix, prefix[0] != 0 ? "." : "",
        (const char *)key->data.scalar.value);
    if (n < 0 || n >= NAME_MAX_LEN)
        return wrong(r, key, "", "no option has a name as long as this");
    return SYNCLINE_OK;
}

static bool is_group(const char *name)
{
    const size_t n = strlen(name);

    for (size_t ix = 0; ix < option_rows_n; ix++)
        if (strncmp(option_rows[ix].name, name, n) == 0 &&
            option_rows[ix].name[n] == '.')
            return true;
    return false;
}

static int read_mapping(
    struct reading *r, const yaml_node_t *map, const char *prefix, int depth);

static int read_pair(struct reading *r, const yaml_node_pair_t *pair,
    const char *prefix, int depth)
{
    const yaml_node_t *key = yaml_document_get_node(r->doc, pair->key);
    const yaml_node_t *node = yaml_document_get_node(r->doc, pair->value);
    char name[NAME_MAX_LEN];
    size_t ix;
    int rc = join_name(r, key, prefix, name);

    if (rc != SYNCLINE_OK)
        return rc;
    ix = option_index(slice_str(name));
    if (ix < option_rows_n)
        return set_option(r, ix, key, node);
    if (is_group(name) && depth < DEPTH_MAX)
        return node->type == YAML_MAPPING_NODE
            ? read_mapping(r, node, name, depth + 1)
            : wrong(r, node, name, "is a group of options, not an option");
    return wrong(r, key, name,
        "there is no such option; `syncline config` lists them all");
}

static int read_mapping(
    struct reading *r, const yaml_node_t *map, const char *prefix, int depth)
{
    int rc = SYNCLINE_OK;

    for (yaml_node_pair_t *at = map->data.mapping.pairs.start;
         rc == SYNCLINE_OK && at < map->data.mapping.pairs.top; at++)
        rc = read_pair(r, at, prefix, depth);
    return rc;
}

static int load_failed(struct reading *r, const yaml_parser_t *p)
{
    yaml_mark_t mark = p->problem_mark;

    if (p->error == YAML_MEMORY_ERROR)
        return errmsg_set(r->why, SYNCLINE_ENOMEM, "out of memory");
    if (p->error == YAML_READER_ERROR)
        mark = p->mark;
    return wrong_at(
        r, &mark, "", p->problem != NULL ? p->problem : "this is not YAML");
}

static int read_document(struct reading *r, yaml_parser_t *p, bool *empty)
{
    yaml_document_t doc;
    const yaml_node_t *root;
    int rc = SYNCLINE_OK;

    if (!yaml_parser_load(p, &doc))
        return load_failed(r, p);
    root = yaml_document_get_root_node(&doc);
    r->doc = &doc;
    *empty = root == NULL;
    if (root == NULL)
        rc = SYNCLINE_OK;
    else if (root->type == YAML_MAPPING_NODE)
        rc = read_mapping(r, root, "", 0);
    else if (root->type != YAML_SCALAR_NODE || !is_null(root))
        rc = wrong(r, root, "", "expected lines of the form `name: value`");
    yaml_document_delete(&doc);
    return rc;
}

int options_read_yaml(
    struct options *o, struct slice text, const char *file, struct errmsg *why)
{
    struct reading r = { .o = o, .file = file, .why = why };
    yaml_parser_t p;
    bool empty = false;
    int rc;

    if (!yaml_parser_initialize(&p))
        return errmsg_set(why, SYNCLINE_ENOMEM, "out of memory");
    yaml_parser_set_input_string(
        &p, text.len ? text.ptr : (const unsigned char *)"", text.len);
    do
        rc = read_document(&r, &p, &empty);
    while (rc == SYNCLINE_OK && !empty);
    yaml_parser_delete(&p);
    return rc;
}
