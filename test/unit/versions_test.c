#include "files/versions.h"

#include "base/prng.h"
#include "unit/check.h"

static const struct version noon = { 2024, 1, 1, 12, 0, 0, 0 };

static const struct {
    const char *name;
    struct version v;
} names[] = {
    { "config_20240101120000.json", { 2024, 1, 1, 12, 0, 0, 0 } },
    { "config_20261120090807.json", { 2026, 11, 20, 9, 8, 7, 0 } },
    { "config_20240229235960.json", { 2024, 2, 29, 23, 59, 60, 0 } },
    { "config_20240101120000_001.json", { 2024, 1, 1, 12, 0, 0, 1 } },
    { "config_20240101120000_999.json", { 2024, 1, 1, 12, 0, 0, 999 } },
};

TEST(a_name_is_a_version_and_back)
{
    for (size_t i = 0; i < ARRAY_N(names); i++) {
        char name[VERSION_NAME_SIZE];
        struct version v;

        CHECK_OK(version_parse(&v, slice_str(names[i].name)));
        CHECK_INT(version_cmp(&v, &names[i].v), 0);
        CHECK_OK(version_name(name, &v));
        CHECK_SLICE(slice_str(name), names[i].name);
    }
}

static const char *const strangers[] = { "", "config_.json", "config.json",
    "config_2024010112000.json", "config_202401011200000.json",
    "config_20240101120000.jso", "config_20240101120000.json~",
    "config_20240101120000json", "xconfig_20240101120000.json",
    "config_20240101120000_1.json", "config_20240101120000_000.json",
    "config_20240101120000_1000.json", "config_20240101120000_.json",
    "config_2024010112000a.json", "config_20241301120000.json",
    "config_20240001120000.json", "config_20240100120000.json",
    "config_20230229120000.json", "config_21000229120000.json",
    "config_20240431120000.json", "config_20240101240000.json",
    "config_20240101126000.json", "config_20240101120061.json",
    "config_../etc/passwd.json", "config_ 0240101120000.json",
    "config_+0240101120000.json" };

TEST(whatever_else_lies_there_is_no_version)
{
    for (size_t i = 0; i < ARRAY_N(strangers); i++) {
        struct version v = { .year = 7 };
        int rc = version_parse(&v, slice_str(strangers[i]));

        CHECK_SAYING(rc == SYNCLINE_EINVAL && v.year == 7,
            "\"%s\" was taken for a version", strangers[i]);
    }
}

TEST(what_is_no_time_has_no_name)
{
    static const struct version wrong[] = { { 2023, 2, 29, 0, 0, 0, 0 },
        { 2024, 0, 1, 0, 0, 0, 0 }, { 2024, 13, 1, 0, 0, 0, 0 },
        { 2024, 1, 32, 0, 0, 0, 0 }, { 2024, 1, 1, 24, 0, 0, 0 },
        { 2024, 1, 1, 0, 60, 0, 0 }, { 2024, 1, 1, 0, 0, 61, 0 },
        { 10000, 1, 1, 0, 0, 0, 0 }, { 2024, 1, 1, 0, 0, 0, 1000 } };
    char name[VERSION_NAME_SIZE];

    for (size_t i = 0; i < ARRAY_N(wrong); i++)
        CHECK_INT(version_name(name, &wrong[i]), SYNCLINE_EINVAL);
}

TEST(names_order_as_versions_do)
{
    struct prng p = { 1 };

    for (int i = 0; i < 5000; i++) {
        struct version v[2];
        char name[2][VERSION_NAME_SIZE];
        int c;

        for (int k = 0; k < 2; k++) {
            v[k] = noon;
            v[k].second = (uint8_t)prng_below(&p, 3);
            v[k].minute = (uint8_t)(9 + prng_below(&p, 2));
            v[k].nth = (uint16_t)prng_below(&p, 4);
            CHECK_OK(version_name(name[k], &v[k]));
        }
        c = slice_cmp(slice_str(name[0]), slice_str(name[1]));
        CHECK_INT((c > 0) - (c < 0), version_cmp(&v[0], &v[1]));
    }
}

/* Three in one second, one of them removed, then the second is over. */
TEST(all_of_one_second_are_kept)
{
    struct version v[8];
    struct version later = noon;
    size_t n = 0;

    for (; n < 3; n++) {
        CHECK_OK(versions_next(&v[n], &noon, v, n));
        CHECK_INT(v[n].nth, n);
    }
    v[1] = v[2];
    CHECK_OK(versions_next(&v[2], &noon, v, 2));
    CHECK_INT(v[2].nth, 3);
    later.second = 1;
    CHECK_OK(versions_next(&v[3], &later, v, 3));
    CHECK_INT(v[3].nth, 0);
    CHECK_INT(v[3].second, 1);
    later.month = 0;
    CHECK_INT(versions_next(&v[4], &later, v, 4), SYNCLINE_EINVAL);
}

TEST(a_second_is_full_some_time)
{
    struct version v = noon, next;

    v.nth = VERSION_NTH_MAX - 1;
    CHECK_OK(versions_next(&next, &noon, &v, 1));
    CHECK_INT(next.nth, VERSION_NTH_MAX);
    CHECK_INT(versions_next(&next, &noon, &next, 1), SYNCLINE_ELIMIT);
}

TEST(the_newest_not_after_a_time)
{
    struct version v[3] = { noon, noon, noon }, at = noon;

    v[0].second = 5;
    v[1].second = 5;
    v[1].nth = 2;
    v[2].second = 7;
    at.second = 4;
    CHECK(versions_at(v, 3, &at) == NULL);
    at.second = 5;
    CHECK(versions_at(v, 3, &at) == &v[1]);
    at.second = 6;
    CHECK(versions_at(v, 3, &at) == &v[1]);
    at.second = 7;
    CHECK(versions_at(v, 3, &at) == &v[2]);
    CHECK(versions_at(v, 0, &at) == NULL);
}

TEST(the_oldest_go)
{
    struct version v[4] = { noon, noon, noon, noon };

    for (uint8_t i = 0; i < 4; i++)
        v[i].second = (uint8_t)(3 - i);
    versions_sort(v, 4);
    for (uint8_t i = 0; i < 4; i++)
        CHECK_INT(v[i].second, i);
    CHECK_UINT(versions_excess(v, 4, 4, NULL), 0);
    CHECK_UINT(versions_excess(v, 4, 10, &v[2]), 0);
}

/* The clock was set back before the last was written: its name is the
 * smallest, and it stays. */
TEST(the_last_one_stays)
{
    struct version v[4] = { noon, noon, noon, noon }, just = noon;

    for (uint8_t i = 0; i < 4; i++)
        v[i].second = i;
    CHECK_UINT(versions_excess(v, 4, 2, &just), 2);
    CHECK_INT(v[0].second, 1);
    CHECK_INT(v[1].second, 2);
    CHECK_INT(v[2].second, 3);
    CHECK_INT(v[3].second, 0);
    CHECK_UINT(versions_excess(v, 4, 1, &just), 3);
    CHECK_INT(v[3].second, 0);
}
