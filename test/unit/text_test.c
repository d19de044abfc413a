#include "unit/check.h"

TEST(placeholder_text)
{
    CHECK_INT(1, 1);
}
