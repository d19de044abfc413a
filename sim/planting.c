#include "sim/planting.h"

#include "base/plant.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef SYNCLINE_PLANTED

static const char *planted, *blind;

static void list(void)
{
    for (int i = PLANT_NONE + 1; i < PLANT_END; i++) {
        const struct plant_row *row = plant_row((enum plant)i);

        if (!plant_is_defence((enum plant)i))
            (void)printf("%-15s %s\n", row->id, row->what);
    }
    (void)printf("%-15s %s\n", "M30:JUDGE", "a judge that is always content");
}

bool planting_take(const char *text)
{
    if (strcmp(text, "list") == 0) {
        list();
        exit(EXIT_SUCCESS);
    }
    if (strncmp(text, "M30:", 4) == 0) {
        blind = text + 4;
        return true;
    }
    if (planted != NULL) {
        (void)fprintf(stderr,
            "syncline-sim: --plant %s: one bug a run, and %s is planted\n",
            text, planted);
        return false;
    }
    if (!plant_set(text)) {
        (void)fprintf(stderr,
            "syncline-sim: --plant %s: no such bug; --plant list tells\n",
            text);
        return false;
    }
    planted = text;
    return true;
}

void planting_print(void)
{
    if (planted != NULL)
        (void)printf(" --plant %s", planted);
    if (blind != NULL)
        (void)printf(" --plant M30:%s", blind);
}

bool planting_blinds(struct slice judge, const char *rule)
{
    struct slice whom;

    if (blind == NULL)
        return false;
    whom = slice_str(blind);
    if (slice_has_prefix(whom, judge)) {
        struct slice rest = slice_from(whom, judge.len);

        if (rest.len == 0)
            return true;
        return rest.ptr[0] == '/' && slice_is(slice_from(rest, 1), rule);
    }
    return strcmp(blind, rule) == 0;
}

#else

bool planting_take(const char *text)
{
    (void)fprintf(stderr,
        "syncline-sim: --plant %s: this build has no planted bugs; "
        "script/plants makes build-planted, which has them\n",
        text);
    return false;
}

void planting_print(void)
{
}

bool planting_blinds(struct slice judge, const char *rule)
{
    (void)judge;
    (void)rule;
    return false;
}

#endif
