/* syncline.h - keep keyed JSON items the same on several machines. */
#ifndef SYNCLINE_H
#define SYNCLINE_H

#ifdef __cplusplus
extern "C" {
#endif

/* What every function that can fail returns: 0 or one of these. */
enum syncline_status {
    SYNCLINE_OK = 0,
    SYNCLINE_ENOMEM = -1,     /* memory ran out */
    SYNCLINE_EINVAL = -2,     /* the caller's argument is wrong */
    SYNCLINE_EMALFORMED = -3, /* bytes or text that break their format */
    SYNCLINE_ESHORT = -4,     /* the input ends too early */
    SYNCLINE_ELIMIT = -5,     /* larger, deeper or more than allowed */
    SYNCLINE_ENOTFOUND = -6,  /* no such item, space, peer, version */
    SYNCLINE_EEXIST = -7,     /* it is there already */
    SYNCLINE_ECONFLICT = -8,  /* the precondition does not hold any more */
    SYNCLINE_EIO = -9,        /* a file or a socket failed */
    SYNCLINE_EFULL = -10,     /* the disk is full */
    SYNCLINE_ECORRUPT = -11,  /* what was stored is damaged */
    SYNCLINE_EVERSION = -12,  /* made by a newer version */
    SYNCLINE_EBUSY = -13,     /* somebody else holds it */
    SYNCLINE_EDENIED = -14,   /* not allowed, or not trusted */
    SYNCLINE_ECLOSED = -15,   /* the handle or connection is closed */
    SYNCLINE_ETIMEOUT = -16,  /* it did not happen in time */
    SYNCLINE_EUNSUPPORTED = -17 /* not in this build */
};

#ifdef __cplusplus
}
#endif
#endif
