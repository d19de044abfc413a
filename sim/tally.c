#include "sim/tally.h"

#include <inttypes.h>

static const char *const sim_names[] = {
#define SIM_COUNT_NAME(name) #name,
    SIM_COUNTS(SIM_COUNT_NAME)
#undef SIM_COUNT_NAME
};

static const char *const node_names[] = {
#define NODE_COUNT_NAME(name) #name,
    NODE_COUNTS(NODE_COUNT_NAME)
#undef NODE_COUNT_NAME
};

#define SIM_NAMES (sizeof sim_names / sizeof *sim_names)
#define NODE_NAMES (sizeof node_names / sizeof *node_names)
#define NAMES (SIM_NAMES + NODE_NAMES + FAULT_END)

_Static_assert(sizeof(struct sim_counts) == SIM_NAMES * sizeof(uint64_t),
    "numbers and nothing else");
_Static_assert(sizeof(struct node_counts) == NODE_NAMES * sizeof(uint64_t),
    "numbers and nothing else");

/* Numbers that lie one after the other. */
static void add(void *to, const void *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t a, b;

        memcpy(&a, (uint8_t *)to + i * sizeof a, sizeof a);
        memcpy(&b, (const uint8_t *)from + i * sizeof b, sizeof b);
        a += b;
        memcpy((uint8_t *)to + i * sizeof a, &a, sizeof a);
    }
}

void tally_add_node(struct tally *to, const struct node_counts *from)
{
    add(&to->node, from, NODE_NAMES);
}

void tally_add(struct tally *to, const struct tally *from)
{
    add(&to->sim, &from->sim, SIM_NAMES);
    add(&to->node, &from->node, NODE_NAMES);
    add(to->struck, from->struck, FAULT_END);
}

static const char *name_of(size_t i, bool *is_fault)
{
    *is_fault = i >= SIM_NAMES + NODE_NAMES;
    if (i < SIM_NAMES)
        return sim_names[i];
    i -= SIM_NAMES;
    return i < NODE_NAMES ? node_names[i]
                          : fault_name((enum fault)(i - NODE_NAMES));
}

static uint64_t value_of(const struct tally *t, size_t i)
{
    const void *from = &t->sim;
    uint64_t v;

    if (i >= SIM_NAMES) {
        i -= SIM_NAMES;
        from = &t->node;
        if (i >= NODE_NAMES) {
            i -= NODE_NAMES;
            from = t->struck;
        }
    }
    memcpy(&v, (const uint8_t *)from + i * sizeof v, sizeof v);
    return v;
}

void tally_print(const struct tally *t, FILE *to, const char *mark)
{
    for (size_t i = 0; i < NAMES; i++) {
        bool is_fault;
        const char *name = name_of(i, &is_fault);

        (void)fprintf(to, "%s%-6s%-24s %12" PRIu64 "\n", mark,
            is_fault ? "fault" : "", name, value_of(t, i));
    }
}

void tally_print_json(const struct tally *t, FILE *to)
{
    for (size_t i = 0; i < NAMES; i++) {
        bool is_fault;
        const char *name = name_of(i, &is_fault);

        (void)fprintf(to, "%c\"%s%s\":%" PRIu64, i == 0 ? '{' : ',',
            is_fault ? "fault_" : "", name, value_of(t, i));
    }
    (void)fputs("}\n", to);
}
