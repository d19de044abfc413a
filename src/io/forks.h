/* forks.h - which process this is, for what does not survive fork(): in the
 * child there are none of the threads of what its parent had made.
 *
 * Law: two numbers are equal if no fork() was between. */
#ifndef SYNCLINE_IO_FORKS_H
#define SYNCLINE_IO_FORKS_H

/* From any thread. Costs no system call. */
unsigned forks_n(void);

#endif
