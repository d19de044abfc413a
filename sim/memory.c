#include "sim/memory.h"

static struct {
    uint32_t left;
    unsigned spared;
    bool wrapped;
} state;

void memory_arm(uint32_t n)
{
    state.left = n;
}

uint32_t memory_disarm(void)
{
    uint32_t left = state.left;

    state.left = 0;
    return left;
}

void memory_spare(void)
{
    state.spared++;
}

void memory_spare_end(void)
{
    state.spared--;
}

bool memory_fails(void)
{
    if (state.left == 0 || state.spared > 0)
        return false;
    return --state.left == 0;
}

void memory_wrapped(void)
{
    state.wrapped = true;
}

bool memory_can_fail(void)
{
    return state.wrapped;
}
