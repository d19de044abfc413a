/* What LAN-sync nodes share and what a space holds are the same. */
#include "faces/lansync/item.h"

#include "unit/check.h"

static struct json *parsed(const char *text, struct arena *a)
{
    struct json *v = NULL;

    CHECK_OK(json_parse(&v, slice_str(text), JSON_TOLERANT, a, NULL));
    return v;
}

static void check_back(const struct json *value, struct arena *a)
{
    struct lan_item item = { .id = SLICE_LIT("k"), .version = 3 }, back;
    struct json *wire;

    CHECK_OK(lan_item_of(&item, value, a));
    CHECK(item.data->type == JSON_OBJECT);
    CHECK(json_equal(lan_item_value(&item, a), value));
    wire = lan_item_make(&item, a);
    CHECK_OK(lan_item_read(&back, wire, a, NULL));
    CHECK_BYTES(back.type, item.type);
    CHECK(json_equal(lan_item_value(&back, a), value));
}

TEST(values_there_and_back)
{
    static const char *const rows[] = { "null", "7", "\"t\"", "[1]", "{}",
        "{\"value\":7}", "{\"value\":{}}", "{\"item_type\":\"a\",\"data\":{}}",
        "{\"item_type\":\"document\",\"data\":{}}",
        ("{\"item_type\":\"document\",\"data\":{\"item_type\":\"a\",\"data\":{}"
         "}"
         "}"),
        "{\"item_type\":\"value\",\"data\":{\"value\":1}}",
        "{\"item_type\":\"value\",\"data\":{\"value\":{}}}",
        "{\"item_type\":\"\",\"data\":{}}",
        "{\"item_type\":\"a\",\"data\":7}" };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++)
        check_back(parsed(rows[i], &a), &a);
    arena_free(&a);
}

TEST(items_there_and_back)
{
    static const char *const rows[][2] = {
        { "document", "{\"a\":1}" },
        { "document", "{\"item_type\":\"a\",\"data\":{}}" },
        { "metadata", "{\"a\":1}" },
        { "value", "{\"value\":1}" },
        { "value", "{\"value\":{}}" },
        { "value", "{}" },
        { "document", "{\"value\":1}" },
    };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct lan_item item = { .id = SLICE_LIT("k"),
            .type = slice_str(rows[i][0]),
            .data = parsed(rows[i][1], &a),
            .version = 1 };
        const struct json *value = lan_item_value(&item, &a);
        struct lan_item back = item;

        CHECK_OK(lan_item_of(&back, value, &a));
        CHECK_BYTES(back.type, item.type);
        CHECK(json_equal(back.data, item.data));
    }
    arena_free(&a);
}

/* As their database keeps it, and as their oldest tests write it. */
/* Without its id, say, it would be refused, and be lost. */
TEST(memory_that_runs_out_makes_no_half_of_an_item)
{
    const struct lan_item item = { .id = SLICE_LIT("d"),
        .type = SLICE_LIT(LAN_ITEM_TYPE),
        .node = SLICE_LIT("n"),
        .time_us = 1,
        .version = 2 };

    for (size_t room = 0;; room += 16) {
        struct arena a = { 0 };
        const struct json *made;

        CHECK(arena_alloc(&a, 4096 - room) != NULL);
        check_alloc_fail_once(1); /* the text of the time is the first */
        made = lan_item_make(&item, &a);
        check_alloc_fail_from(-1);
        CHECK((made == NULL) == a.failed);
        CHECK(made == NULL || made->n == 7);
        arena_free(&a);
        if (made != NULL)
            break;
        CHECK(room < 4096);
    }
}

TEST(items_of_all_generations)
{
    static const char *const rows[] = {
        ("{\"item_id\":\"d\",\"item_type\":\"document\",\"action\":\"update\","
         "\"data\":{\"t\":1},\"created_at\":\"2026-11-20T12:00:00\","
         "\"node_id\":\"n\",\"version\":2,\"synced\":false,\"synced_at\":null,"
         "\"error\":null,\"retry_count\":0}"),
        ("{\"id\":\"d\",\"data\":\"{\\\"t\\\":1}\",\"version\":2,"
         "\"last_modified\":\"2026-11-20T12:00:00\",\"is_deleted\":false,"
         "\"metadata\":{\"node_id\":\"n\"}}"),
        ("{\"item_id\":\"d\",\"data\":{\"t\":1},\"version\":2,"
         "\"timestamp\":1795176000.0,\"node_id\":\"n\"}"),
    };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct lan_item item;

        CHECK_OK(lan_item_read(&item, parsed(rows[i], &a), &a, NULL));
        CHECK_SLICE(item.id, "d");
        CHECK_SLICE(item.type, "document");
        CHECK_SLICE(item.node, "n");
        CHECK_UINT(item.version, 2);
        CHECK_UINT(item.time_us, UINT64_C(1795176000000000));
        CHECK(json_equal(item.data, parsed("{\"t\":1}", &a)));
    }
    arena_free(&a);
}

TEST(what_is_no_item)
{
    static const char *const rows[][2] = {
        { "7", "item_id: missing" },
        { "{}", "item_id: missing" },
        { "{\"item_id\":\"k\",\"data\":{}}", "created_at: missing" },
        { "{\"item_id\":\"k\",\"data\":{},\"created_at\":\"now\"}",
            "created_at: no time in UTC such as 2026-11-20T12:34:56.789012" },
        { "{\"item_id\":\"k\",\"data\":7,\"created_at\":1}",
            "data: no object" },
        { "{\"item_id\":\"k\",\"data\":\"{\",\"created_at\":1}",
            "data: no object" },
    };
    struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_N(rows); i++) {
        struct errmsg why = { "" };
        struct lan_item item;

        CHECK_INT(lan_item_read(&item, parsed(rows[i][0], &a), &a, &why),
            SYNCLINE_EMALFORMED);
        CHECK_SLICE(slice_str(why.text), rows[i][1]);
    }
    arena_free(&a);
}
