#include "unit/check.h"

TEST(placeholder_codec)
{
    CHECK_INT(1, 1);
}
