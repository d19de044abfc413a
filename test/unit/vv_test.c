#include "unit/check.h"

TEST(placeholder_vv)
{
    CHECK_INT(1, 1);
}
