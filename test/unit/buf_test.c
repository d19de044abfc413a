#include "unit/check.h"

TEST(placeholder_buf)
{
    CHECK_INT(1, 1);
}
