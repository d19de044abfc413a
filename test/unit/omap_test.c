#include "unit/check.h"

TEST(placeholder_omap)
{
    CHECK_INT(1, 1);
}
