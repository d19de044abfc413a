#include "io/fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/plant.h"

/* How far inside an address is: whoever is further out names none of it. */
enum inside { INSIDE_NOT, INSIDE_NETWORK, INSIDE_MACHINE };

/* The loop and a thread of its own hold it together. The thread may be stuck
 * in looking up a name for longer than the loop lives: whoever lets go last
 * frees it, and nobody waits for anybody. */
struct fetch {
    uv_mutex_t lock; /* guards the next three */
    bool is_over;    /* the loop wants it no more */
    bool is_done;    /* the thread has let go */
    uv_async_t wake;

    char *url, *agent, *roots;
    size_t max;
    uint32_t timeout_ms;
    void (*done)(void *ctx, struct slice body, const char *why);
    void *ctx;
    struct buf body;
    char why[300];
    bool failed;
    enum inside first; /* of what the URL itself has led to */
    bool is_inward;    /* a redirect would have led further */
    CURL *curl;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void begin_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void fetch_free(struct fetch *f)
{
    buf_free(&f->body);
    free(f->url);
    free(f->agent);
    free(f->roots);
    uv_mutex_destroy(&f->lock);
    free(f);
}

/* ---- on its thread ---- */

static size_t on_bytes(char *bytes, size_t one, size_t n, void *ctx)
{
    struct fetch *f = ctx;

    if (one * n > f->max - f->body.len)
        return 0; /* that is the end of it */
    buf_put_slice(&f->body, SLICE((const uint8_t *)bytes, one * n));
    return buf_status(&f->body) == SYNCLINE_OK ? one * n : 0;
}

static int on_progress(void *ctx, curl_off_t down_all, curl_off_t down,
    curl_off_t up_all, curl_off_t up)
{
    struct fetch *f = ctx;
    bool over;

    (void)down_all;
    (void)down;
    (void)up_all;
    (void)up;
    uv_mutex_lock(&f->lock);
    over = f->is_over;
    uv_mutex_unlock(&f->lock);
    return over;
}

static enum inside inside_v4(const uint8_t a[4])
{
    if (a[0] == 127 || a[0] == 0 || (a[0] == 169 && a[1] == 254))
        return INSIDE_MACHINE;
    if (a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) ||
        (a[0] == 192 && a[1] == 168) || (a[0] == 100 && (a[1] & 0xc0) == 64))
        return INSIDE_NETWORK;
    return INSIDE_NOT;
}

static enum inside inside_of(const struct sockaddr *to)
{
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const uint8_t zeros[15] = { 0 };
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    const uint8_t *a = v6.sin6_addr.s6_addr;

    if (to->sa_family == AF_INET) {
        memcpy(&v4, to, sizeof v4);
        return inside_v4((const uint8_t *)&v4.sin_addr.s_addr);
    }
    if (to->sa_family != AF_INET6)
        return INSIDE_MACHINE;
    memcpy(&v6, to, sizeof v6);
    if (memcmp(a, mapped, sizeof mapped) == 0)
        return inside_v4(a + 12);
    if ((memcmp(a, zeros, sizeof zeros) == 0 && a[15] <= 1) ||
        (a[0] == 0xfe && (a[1] & 0xc0) == 0x80))
        return INSIDE_MACHINE;
    return (a[0] & 0xfe) == 0xfc ? INSIDE_NETWORK : INSIDE_NOT;
}

static curl_socket_t on_open(
    void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct fetch *f = ctx;
    const enum inside inside = inside_of(&to->addr);
    long redirects = 0;

    (void)purpose;
    (void)curl_easy_getinfo(f->curl, CURLINFO_REDIRECT_COUNT, &redirects);
    if (redirects == 0 && inside > f->first)
        f->first = inside;
    if (inside > f->first && !PLANTED(R13_REDIRECT)) {
        f->is_inward = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool is_https(const char *url)
{
    return strncmp(url, "https://", 8) == 0;
}

static CURLcode set_up(CURL *c, struct fetch *f, char *text)
{
    const char *next = is_https(f->url) ? "https" : "http,https";
    CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, f->url);

#define SET(name, value) \
    if (rc == CURLE_OK)  \
    rc = curl_easy_setopt(c, CURLOPT_##name, value)
    SET(ERRORBUFFER, text);
    SET(USERAGENT, f->agent);
    SET(PROTOCOLS_STR, "http,https");
    SET(REDIR_PROTOCOLS_STR, next);
    SET(FOLLOWLOCATION, 1L);
    SET(MAXREDIRS, (long)FETCH_REDIRECTS);
    SET(TIMEOUT_MS, (long)f->timeout_ms);
    SET(MAXFILESIZE_LARGE, (curl_off_t)f->max);
    SET(NOSIGNAL, 1L);
    SET(FAILONERROR, 1L);
    SET(NETRC, (long)CURL_NETRC_IGNORED);
    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(WRITEFUNCTION, on_bytes);
    SET(WRITEDATA, (void *)f);
    SET(NOPROGRESS, 0L);
    SET(OPENSOCKETFUNCTION, on_open);
    SET(OPENSOCKETDATA, (void *)f);
    SET(XFERINFOFUNCTION, on_progress);
    SET(XFERINFODATA, (void *)f);
    if (f->roots != NULL)
        SET(CAINFO, f->roots);
#undef SET
    return rc;
}

static void get(struct fetch *f)
{
    char text[CURL_ERROR_SIZE] = "";
    CURL *c = curl_easy_init();
    CURLcode rc = c != NULL ? set_up(c, f, text) : CURLE_OUT_OF_MEMORY;

    f->curl = c;
    if (rc == CURLE_OK)
        rc = curl_easy_perform(c);
    f->failed = rc != CURLE_OK;
    if (rc != CURLE_OK && f->is_inward)
        (void)snprintf(f->why, sizeof f->why,
            "it leads to an address that is further inside than its own");
    else if (rc == CURLE_WRITE_ERROR || rc == CURLE_FILESIZE_EXCEEDED)
        (void)snprintf(f->why, sizeof f->why,
            "it is larger than %zu bytes, or memory ran out", f->max);
    else if (rc != CURLE_OK)
        (void)snprintf(f->why, sizeof f->why, "%s",
            text[0] != 0 ? text : curl_easy_strerror(rc));
    curl_easy_cleanup(c);
}

static void *work(void *ctx)
{
    struct fetch *f = ctx;
    sigset_t all;
    bool over;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    (void)pthread_setname_np(pthread_self(), "syncline-fetch");
    get(f);
    uv_mutex_lock(&f->lock);
    over = f->is_over;
    f->is_done = true;
    if (!over)
        (void)uv_async_send(&f->wake);
    uv_mutex_unlock(&f->lock);
    if (over)
        fetch_free(f);
    return NULL;
}

/* ---- on the loop's ---- */

static void on_closed(uv_handle_t *h)
{
    struct fetch *f = h->data;
    bool done;

    uv_mutex_lock(&f->lock);
    f->is_over = true;
    done = f->is_done;
    uv_mutex_unlock(&f->lock);
    if (done)
        fetch_free(f);
}

static void on_wake(uv_async_t *a)
{
    struct fetch *f = a->data;

    if (uv_is_closing((uv_handle_t *)a))
        return;
    uv_close((uv_handle_t *)a, on_closed);
    if (f->done != NULL)
        f->done(f->ctx, f->failed ? SLICE_NONE : buf_slice(&f->body),
            f->failed ? f->why : NULL);
}

void fetch_cancel(struct fetch *f)
{
    if (f == NULL || uv_is_closing((uv_handle_t *)&f->wake))
        return;
    f->done = NULL;
    uv_close((uv_handle_t *)&f->wake, on_closed);
}

static char *copy(const char *s, bool *ok)
{
    char *out = s != NULL ? strdup(s) : NULL;

    *ok = *ok && (s == NULL || out != NULL);
    return out;
}

static int start_thread(struct fetch *f)
{
    pthread_attr_t attr;
    pthread_t thread;
    int rc = pthread_attr_init(&attr);

    if (rc != 0)
        return SYNCLINE_ENOMEM;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    rc = pthread_create(&thread, &attr, work, f);
    (void)pthread_attr_destroy(&attr);
    return rc == 0 ? SYNCLINE_OK : SYNCLINE_ENOMEM;
}

int fetch_start(struct fetch **out, const struct fetch_options *opt)
{
    struct fetch *f = calloc(1, sizeof *f);
    bool ok = true;
    int rc;

    if (f == NULL || uv_mutex_init(&f->lock) != 0) {
        free(f);
        return SYNCLINE_ENOMEM;
    }
    (void)pthread_once(&once, begin_curl);
    f->url = copy(opt->url, &ok);
    f->agent = copy(opt->agent, &ok);
    f->roots = copy(opt->roots, &ok);
    f->max = opt->max;
    f->timeout_ms = opt->timeout_ms;
    f->done = opt->done;
    f->ctx = opt->ctx;
    if (!ok || uv_async_init(opt->loop, &f->wake, on_wake) != 0) {
        fetch_free(f);
        return SYNCLINE_ENOMEM;
    }
    f->wake.data = f;
    rc = start_thread(f);
    if (rc != SYNCLINE_OK) {
        f->is_done = true;
        fetch_cancel(f);
        return rc;
    }
    *out = f;
    return SYNCLINE_OK;
}

int fetch_url_check(const char *url, struct errmsg *why)
{
    const size_t scheme = is_https(url)   ? 8
        : strncmp(url, "http://", 7) == 0 ? 7
                                          : 0;

    const size_t authority = strcspn(url + scheme, "/?#");

    if (memchr(url + scheme, '@', authority) != NULL)
        return errmsg_set(why, SYNCLINE_EINVAL,
            "a URL with a name or a password in it, which would be shown and "
            "logged");
    if (scheme > 0 && authority > 0 && strpbrk(url, " \t\r\n\"<>") == NULL)
        return SYNCLINE_OK;
    return errmsg_set(why, SYNCLINE_EINVAL,
        "%.200s: no URL as https://example.org/peers.json", url);
}
