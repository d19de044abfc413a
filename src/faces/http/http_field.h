/* http_field.h - a field of a head: name and value, lent by the head. */
#ifndef SYNCLINE_FACES_HTTP_FIELD_H
#define SYNCLINE_FACES_HTTP_FIELD_H

#include "base/slice.h"

/* Names in lower case; values without blanks at their ends, ptr never NULL. */
struct http_field {
    struct slice name, value;
};

#endif
