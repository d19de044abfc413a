/* limits.h - how large a simulated world may be. */
#ifndef SYNCLINE_SIM_LIMITS_H
#define SYNCLINE_SIM_LIMITS_H

#define SIM_MACHINES 8
#define SIM_SPACES 32 /* of one machine at a time */
#define SIM_SPACES_EVER 512
#define SIM_PORT 4748
#define MS_US ((uint64_t)1000)
#define SEC_US ((uint64_t)1000000)

#endif
