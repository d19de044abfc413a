/* clock.h - what time it is. The layers below io are told, they never ask. */
#ifndef SYNCLINE_IO_CLOCK_H
#define SYNCLINE_IO_CLOCK_H

#include <stdint.h>

/* Since the Unix epoch; may jump. 0 before it. */
uint64_t clock_wall_us(void);
/* Never goes back; counts from some moment before now, never 0. */
uint64_t clock_mono_us(void);

#endif
