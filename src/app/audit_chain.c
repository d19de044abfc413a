#include "app/audit_chain.h"

#include "base/codec.h"
#include "base/plant.h"
#include "base/text.h"

/* ---- writing ---- */

static void put_record(
    struct buf *b, const struct audit_head *prev, const struct audit_entry *e)
{
    buf_put_str(b, "{\"details\":");
    buf_put_slice(b, e->details);
    buf_printf(b, ",\"kind\":\"%s\",\"prev\":\"", e->kind);
    put_hex(b, SLICE(prev->hash, SHA256_LEN));
    buf_put_u8(b, '"');
    if (e->repeated > 0)
        buf_printf(b, ",\"repeated\":%llu", (unsigned long long)e->repeated);
    buf_printf(b, ",\"seq\":%llu,\"time\":%llu,\"who\":",
        (unsigned long long)prev->seq + 1, (unsigned long long)e->wall_us);
    buf_put_slice(b, e->who);
    buf_put_u8(b, '}');
}

int audit_put(
    struct buf *out, struct audit_head *head, const struct audit_entry *e)
{
    struct audit_head next = { .seq = head->seq + 1 };
    struct buf line = { 0 };
    int rc;

    put_record(&line, head, e);
    rc = buf_status(&line);
    if (rc == SYNCLINE_OK)
        rc = crypto_sha256(next.hash, buf_slice(&line));
    buf_put_u8(&line, '\n');
    if (rc == SYNCLINE_OK)
        rc = buf_status(&line);
    if (rc == SYNCLINE_OK && buf_reserve(out, line.len) == NULL) {
        rc = SYNCLINE_ENOMEM;
        out->status = 0; /* what is in it is good */
    }
    if (rc == SYNCLINE_OK) {
        buf_put_slice(out, buf_slice(&line));
        *head = next;
    }
    buf_free(&line);
    return rc;
}

void put_audit_head(struct buf *b, const struct audit_head *h)
{
    put_varint(b, h->seq);
    buf_put(b, h->hash, SHA256_LEN);
}

int get_audit_head(struct slice bytes, struct audit_head *out)
{
    struct reader r = reader_of(bytes);
    struct audit_head h = { .seq = get_varint(&r) };

    get_into(&r, h.hash, SHA256_LEN);
    if (reader_end(&r) != SYNCLINE_OK)
        return SYNCLINE_ECORRUPT;
    *out = h;
    return SYNCLINE_OK;
}

/* ---- reading ---- */

static bool is_object(const struct json *v)
{
    return v != NULL && v->type == JSON_OBJECT;
}

/* Is it a record, whatever stands before it? */
static bool read_record(
    const struct json *v, uint64_t *seq, uint8_t prev[SHA256_LEN])
{
    int64_t n = json_get_int(v, "seq", 0);

    *seq = (uint64_t)n;
    return n > 0 && json_get_str(v, "kind").len > 0 &&
        json_get_int(v, "time", -1) >= 0 && is_object(json_get(v, "who")) &&
        is_object(json_get(v, "details")) &&
        hex_decode(prev, SHA256_LEN, json_get_str(v, "prev")) == SYNCLINE_OK;
}

static bool explains(const struct audit_check *c, const struct json *record)
{
    const struct json *details = json_get(record, "details");
    uint8_t hash[SHA256_LEN];

    return slice_is(json_get_str(record, "kind"), AUDIT_TORN) &&
        json_get_int(details, "bytes", -1) == (int64_t)c->odd_line.seq &&
        hex_decode(hash, sizeof hash, json_get_str(details, "sha256")) ==
        SYNCLINE_OK &&
        memcmp(hash, c->odd_line.hash, sizeof hash) == 0;
}

static int judge(const struct audit_check *c, const struct json *record,
    uint64_t seq, const uint8_t prev[SHA256_LEN], struct errmsg *why)
{
    unsigned long long n = seq, last = c->head.seq;

    if (c->odd && !explains(c, record))
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "the line before record %llu is no record", n);
    if (c->first == 0)
        return SYNCLINE_OK;
    if (seq > c->head.seq + 1)
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "record %llu follows record %llu: what was between is missing", n,
            last);
    if (seq <= c->head.seq)
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "record %llu follows record %llu: not in its place", n, last);
    if (memcmp(prev, c->head.hash, SHA256_LEN) != 0 && !PLANTED(R38_CHAIN))
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "record %llu does not follow this record %llu: that one, or what "
            "was before it, was changed",
            n, last);
    return SYNCLINE_OK;
}

static int judge_known(const struct audit_check *c, struct errmsg *why)
{
    if (c->head.seq != c->known.seq ||
        memcmp(c->head.hash, c->known.hash, SHA256_LEN) == 0)
        return SYNCLINE_OK;
    return errmsg_set(why, SYNCLINE_ECORRUPT,
        "record %llu is not the one that the store knows: it was changed",
        (unsigned long long)c->head.seq);
}

int audit_check_line(struct audit_check *c, struct slice line, struct arena *a,
    struct json **record, struct errmsg *why)
{
    uint8_t prev[SHA256_LEN], hash[SHA256_LEN];
    struct json *v = NULL;
    uint64_t seq;
    bool was_odd = c->odd;
    int rc = json_parse(&v, line, JSON_STRICT, a, NULL);

    *record = NULL;
    if (rc == SYNCLINE_ENOMEM || crypto_sha256(hash, line) != SYNCLINE_OK)
        return SYNCLINE_ENOMEM;
    if (rc != SYNCLINE_OK || !read_record(v, &seq, prev)) {
        c->odd = true;
        c->odd_line.seq = line.len;
        memcpy(c->odd_line.hash, hash, sizeof hash);
        return was_odd ? errmsg_set(why, SYNCLINE_ECORRUPT, "this is no record")
                       : SYNCLINE_OK;
    }
    rc = judge(c, v, seq, prev, why);
    c->odd = false;
    if (c->first == 0)
        c->first = seq;
    c->head.seq = seq;
    memcpy(c->head.hash, hash, sizeof hash);
    if (slice_is(json_get_str(v, "kind"), AUDIT_ROTATED))
        c->kept_from =
            (uint64_t)json_get_int(json_get(v, "details"), "kept_from", 0);
    *record = v;
    return rc == SYNCLINE_OK ? judge_known(c, why) : rc;
}

int audit_check_end(const struct audit_check *c, struct errmsg *why)
{
    uint64_t begin = c->kept_from > 1 ? c->kept_from : 1;

    if (c->odd)
        return errmsg_set(why, SYNCLINE_ECORRUPT, "the last line is no record");
    if (c->first > begin)
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "the log begins with record %llu: %llu and what follows it are "
            "missing",
            (unsigned long long)c->first, (unsigned long long)begin);
    if (c->head.seq < c->known.seq)
        return errmsg_set(why, SYNCLINE_ECORRUPT,
            "the log ends with record %llu, the store knows %llu: it was cut "
            "short",
            (unsigned long long)c->head.seq, (unsigned long long)c->known.seq);
    return SYNCLINE_OK;
}
