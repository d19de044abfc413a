#include "unit/check.h"

TEST(placeholder_arena)
{
    CHECK_INT(1, 1);
}
