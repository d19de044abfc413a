#include "app/options/options_edit.h"

#include "unit/check.h"

/* NULL as a value: unset. */
static int edit(struct buf *out, const char *text, const char *name,
    const char *value, struct errmsg *why)
{
    const struct option_edit e = { .name = name,
        .text = slice_str(value != NULL ? value : ""),
        .unset = value == NULL };

    return options_edit(out, slice_str(text), &e, 1, why);
}

TEST(what_is_not_asked_for_stays_as_it_was)
{
    static const struct {
        const char *before, *name, *value, *after;
    } rows[] = {
        { "", "log.level", "debug", "log.level: debug\n" },
        { "# mine\n", "retention", "7d", "# mine\nretention: 7d\n" },
        { "name: a", "retention", "7d", "name: a\nretention: 7d\n" },
        { "name: a # me\nretention: 30d  # long\n", "retention", "7d",
            "name: a # me\nretention: 7d  # long\n" },
        { "log:\n  # how much\n  level: info # this\n  format: json\n",
            "log.level", "warn",
            "log:\n  # how much\n  level: warn # this\n  format: json\n" },
        { "log: {level: info, format: json}\n", "log.format", "text",
            "log: {level: info, format: text}\n" },
        { "{name: a}\n", "name", "b", "{name: b}\n" },
        { "name: \"a b\"\nhistory.keep: 3\n", "name", "c: d",
            "name: \"c: d\"\nhistory.keep: 3\n" },
        { "name: k\xc3\xbc"
          "che # \xc3\xbc\nretention: 30d\n",
            "retention", "7d",
            "name: k\xc3\xbc"
            "che # \xc3\xbc\nretention: 7d\n" },
        { "name: a\n", "name",
            "k\xc3\xbc"
            "che",
            "name: \"k\\u00fcche\"\n" },
        { "name: a\n", "name", "null", "name: \"null\"\n" },
        { "name: |-\n  a\nretention: 7d\n", "name", "b",
            "name: b\nretention: 7d\n" },
        /* Lists. */
        { "", "peer", "10.0.0.1:4748,[::1]:5",
            "peer: [\"10.0.0.1:4748\", \"[::1]:5\"]\n" },
        { "peer: [10.0.0.1:1]\n", "peer", "10.0.0.2:1",
            "peer: [\"10.0.0.2:1\"]\n" },
        { "peer: 10.0.0.1:1,10.0.0.3:1\n", "peer", "10.0.0.2:1",
            "peer: [\"10.0.0.2:1\"]\n" },
        { "peer:\n  - 10.0.0.1:1 # x\n  - 10.0.0.3:1\n\n# end\nname: a\n",
            "peer", "10.0.0.2:1",
            "peer: [\"10.0.0.2:1\"]\n\n# end\nname: a\n" },
        { "peer: # mine\n- 10.0.0.1:1\nname: a\n", "peer", "",
            "peer: []  # mine\nname: a\n" },
        { "peers: [10.0.0.1:1]\n", "peer", "10.0.0.2:1",
            "peers: [\"10.0.0.2:1\"]\n" },
        /* Back to the default. */
        { "name: a\nretention: 7d # x\nhistory.keep: 3\n", "retention", NULL,
            "name: a\nhistory.keep: 3\n" },
        { "log:\n  level: warn\nname: a\n", "log.level", NULL, "name: a\n" },
        { "log:\n  level: warn\n  format: json\n", "log.level", NULL,
            "log:\n  format: json\n" },
        { "peer:\n  - 10.0.0.1:1\n  - 10.0.0.3:1\nname: a\n", "peer", NULL,
            "name: a\n" },
        { "name: a\n", "retention", NULL, "name: a\n" },
        { "retention: 7d", "retention", NULL, "" },
        { "---\nname: a\n", "retention", "7d",
            "---\nname: a\nretention: 7d\n" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct errmsg why = { "" };
        struct buf b = { 0 };
        int rc = edit(&b, rows[i].before, rows[i].name, rows[i].value, &why);

        CHECK_SAYING(rc == SYNCLINE_OK, "row %zu: %s", i, why.text);
        CHECK_SAYING(slice_is(buf_slice(&b), rows[i].after),
            "row %zu: \"%.*s\"", i, SLICE_FMT(buf_slice(&b)));
        buf_free(&b);
    }
}

TEST(what_cannot_be_is_refused_and_nothing_comes_of_it)
{
    static const struct {
        const char *before, *name, *value;
        int rc;
        const char *part;
    } rows[] = {
        { "", "retention", "soon", SYNCLINE_EINVAL, "retention: " },
        { "", "history.keep", "-1", SYNCLINE_EINVAL, "history.keep: " },
        { "", "listen", "a:99999", SYNCLINE_EINVAL, "listen: " },
        { "", "log.level", "loud", SYNCLINE_EINVAL, "log.level: " },
        { "{name: a}\n", "retention", "7d", SYNCLINE_EUNSUPPORTED,
            "only a person can edit" },
        { "{name: a, retention: 7d}\n", "retention", NULL,
            SYNCLINE_EUNSUPPORTED, "only a person can edit" },
        { "name: &x a\nlog: {format: text}\n...\n", "retention", "7d",
            SYNCLINE_EUNSUPPORTED, "only a person can edit" },
        { "name: [\n", "name", "b", SYNCLINE_EINVAL, "syncline.yaml:" },
        { "unknown: 1\n", "name", "b", SYNCLINE_EINVAL, "no such option" },
    };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct errmsg why = { "" };
        struct buf b = { 0 };
        int rc = edit(&b, rows[i].before, rows[i].name, rows[i].value, &why);

        CHECK_SAYING(rc == rows[i].rc, "row %zu: %d %s (%.*s)", i, rc, why.text,
            SLICE_FMT(buf_slice(&b)));
        CHECK_SAYING(
            strstr(why.text, rows[i].part) != NULL, "row %zu: %s", i, why.text);
        CHECK_INT(b.len, 0);
        buf_free(&b);
    }
}

static void check_edits(const char *text, int want, const char *part)
{
    struct option_edit edits[OPTION_CHANGES_MAX];
    struct errmsg why = { "" };
    struct arena a = { 0 };
    struct json *v = NULL;
    size_t n;
    int rc;

    CHECK_OK(json_parse(&v, slice_str(text), JSON_STRICT, &a, NULL));
    rc = options_edits_of(edits, &n, v, &a, &why);
    CHECK_SAYING(rc == want, "%s: %d %s", text, rc, why.text);
    if (rc != SYNCLINE_OK)
        CHECK_SAYING(strstr(why.text, part) != NULL, "%s: %s", text, why.text);
    else
        CHECK_SLICE(edits[0].text, part);
    arena_free(&a);
}

TEST(values_are_what_json_has_for_them)
{
    check_edits("{\"peer\":[\"a:1\",\"b:2\"]}", SYNCLINE_OK, "a:1,b:2");
    check_edits("{\"peer\":[]}", SYNCLINE_OK, "");
    check_edits("{\"discovery\":false}", SYNCLINE_OK, "false");
    check_edits("{\"history.keep\":7}", SYNCLINE_OK, "7");
    check_edits("{\"retention\":\"7d\"}", SYNCLINE_OK, "7d");
    check_edits("{\"retention\":null}", SYNCLINE_OK, "");
    check_edits("{\"peer\":[\"a:1,b:2\"]}", SYNCLINE_EINVAL, "peer: wants");
    check_edits("{\"peer\":[1]}", SYNCLINE_EINVAL, "peer: wants");
    check_edits("{\"peer\":[\"a:1\\u0000b\"]}", SYNCLINE_EINVAL, "peer: wants");
    check_edits("{\"name\":[\"a\"]}", SYNCLINE_EINVAL, "name: wants");
    check_edits("{\"name\":{}}", SYNCLINE_EINVAL, "name: wants");
    check_edits("{\"history.keep\":1.5}", SYNCLINE_EINVAL, "history.keep");
    check_edits("{\"nothing\":1}", SYNCLINE_EINVAL, "nothing: there is no");
    check_edits("{}", SYNCLINE_EINVAL, "an object");
    check_edits("[]", SYNCLINE_EINVAL, "an object");
}
