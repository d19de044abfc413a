/* envelope_tool.c - crypto/envelope, crypto/merkle, repl/sealed on a pipe, for
 * comparison with another implementation.
 *
 * A request is a line: a word, then fields in hex with blanks between, "-" for
 * an empty one. The answer is a line of fields, or "!" and a number.
 *   seal FIRST MESH SPACE EPOCH ID+KEY TAG PLAIN -> SEAL
 *     EPOCH is decimal; without TAG the keys' own
 *   open FIRST MESH SPACE EPOCH ID+KEY SEAL -> TAG PLAIN
 *   tokens FIRST MESH SPACE EPOCH ID+KEY KEY PATH -> ITEM CELL
 *   leaf SALT HEADER KEY PATH VALUE -> LEAF
 *   commit SEED MESH KEEP SALT LEAF... -> SPKI PROOF
 *     KEEP has a digit for each leaf, 1 for those that live
 *   root PROOF LEAF... -> ROOT, over the living
 *   verify SPKI MESH PROOF ROOT -> ok
 *   bind PROOF... -> SHEAF PART...
 *   cut SHEAF - - N PART... LEAF... -> PROOF..., of N parts, then all leaves
 *     that live
 *   relay FIRST MESH SPACE EPOCH ID+KEY KEY ITEM -> NAME ITEM
 *   member FIRST MESH SPACE EPOCH ID+KEY NAME ITEM -> KEY ITEM
 *   relay-record, member-record: the same of TAIL RECORD -> TAIL RECORD */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "crypto/sheaf.h"
#include "repl/sealed.h"

#define FIELDS_MAX 400

struct fields {
    char *text[FIELDS_MAX];
    struct slice e[FIELDS_MAX];
    size_t n;
};

static struct identity *identity;
static struct crypto_port port;
static struct crypto_self self;

static void use_seed(struct slice seed)
{
    identity_free(identity);
    ENSURE(seed.len == IDENTITY_SEED_LEN);
    ENSURE(identity_from_seed(&identity, seed.ptr) == SYNCLINE_OK);
    crypto_port_openssl(&port, &self, identity);
}

/* In place: hex becomes the bytes that it means. */
static struct slice unhex(char *text)
{
    size_t n = strlen(text) / 2;
    uint8_t *made = malloc(n + 1);

    ENSURE(made != NULL);
    if (strcmp(text, "-") == 0)
        n = 0;
    else if (hex_decode(made, n, slice_str(text)) != SYNCLINE_OK)
        n = 0; /* a word, or a decimal number */
    memcpy(text, made, n);
    free(made);
    return SLICE(text, n);
}

static void print(struct slice s, const char *after)
{
    char *text = malloc(2 * s.len + 1);

    ENSURE(text != NULL);
    hex_encode(text, s);
    (void)printf("%s%s", s.len > 0 ? text : "-", after);
    free(text);
}

static void copy(void *to, size_t n, struct slice from)
{
    ENSURE(from.len == n);
    memcpy(to, from.ptr, n);
}

static struct envelope_keys keys_of(const struct fields *f, uint64_t epoch)
{
    struct envelope_keys keys;
    struct envelope_secret secret = { .epoch = epoch };
    struct space_token space;
    struct mesh_id mesh;

    copy(secret.first, KEY_LEN, f->e[1]);
    copy(mesh.b, sizeof mesh.b, f->e[2]);
    copy(space.b, sizeof space.b, f->e[3]);
    ENSURE(f->e[5].len == KEY_ID_LEN + KEY_LEN);
    copy(secret.id, KEY_ID_LEN, SLICE(f->e[5].ptr, KEY_ID_LEN));
    copy(secret.key, KEY_LEN, slice_from(f->e[5], KEY_ID_LEN));
    ENSURE(envelope_keys_make(&keys, &port, &mesh, &space, &secret) ==
        SYNCLINE_OK);
    return keys;
}

static int do_seal(const struct fields *f, uint64_t number)
{
    struct envelope_keys keys = keys_of(f, number);
    struct buf out = { 0 };
    int rc = envelope_seal(
        &out, &port, &keys, f->e[6].len > 0 ? f->e[6].ptr : NULL, f->e[7]);

    if (rc == SYNCLINE_OK)
        print(buf_slice(&out), "\n");
    buf_free(&out);
    return rc;
}

static int do_open(const struct fields *f, uint64_t number)
{
    struct envelope_keys keys = keys_of(f, number);
    struct envelope_seal_head h;
    struct buf plain = { 0 };
    int rc = envelope_read(f->e[6], &h);

    if (rc == SYNCLINE_OK)
        rc = envelope_open(&plain, &port, &keys, &h);
    if (rc == SYNCLINE_OK) {
        print(SLICE(h.tag, sizeof h.tag), " ");
        print(buf_slice(&plain), "\n");
    }
    buf_free(&plain);
    return rc;
}

static int do_tokens(const struct fields *f, uint64_t number)
{
    struct envelope_keys keys = keys_of(f, number);
    uint8_t item[SHA256_LEN], cell[SHA256_LEN];
    int rc = envelope_item_token(item, &port, &keys, f->e[6]);

    if (rc == SYNCLINE_OK)
        rc = envelope_cell_token(cell, &port, &keys, f->e[6], f->e[7]);
    if (rc == SYNCLINE_OK) {
        print(SLICE(item, sizeof item), " ");
        print(SLICE(cell, sizeof cell), "\n");
    }
    return rc;
}

static int do_leaf(const struct fields *f, uint64_t number)
{
    const struct envelope_content c = { f->e[3], f->e[4], f->e[5] };
    uint8_t tag[ENVELOPE_TAG_LEN];
    struct merkle_hash leaf;
    struct mac_key salt;
    int rc = crypto_mac_key(&salt, f->e[1]);

    (void)number;
    ENSURE(f->e[2].len == ENVELOPE_HEADER_LEN);
    if (rc == SYNCLINE_OK)
        rc = envelope_tag(tag, &port, &salt, f->e[2].ptr, &c);
    if (rc == SYNCLINE_OK)
        rc = merkle_leaf(&leaf, &port, f->e[2].ptr, tag);
    if (rc == SYNCLINE_OK)
        print(SLICE(leaf.b, sizeof leaf.b), "\n");
    return rc;
}

static uint32_t leaves_of(
    const struct fields *f, size_t from, struct merkle_hash *out)
{
    uint32_t n = 0;

    for (size_t i = from; i < f->n; i++)
        copy(out[n++].b, SHA256_LEN, f->e[i]);
    return n;
}

static int do_commit(const struct fields *f, uint64_t number)
{
    static struct merkle_hash leaves[FIELDS_MAX], nodes[2 * FIELDS_MAX];
    bool keep[FIELDS_MAX] = { false };
    struct proof_head head = { .epoch = 0 };
    uint32_t n = leaves_of(f, 5, leaves);
    struct buf whole = { 0 }, out = { 0 };
    struct mesh_id mesh;
    struct proof p;
    int rc;

    (void)number;
    use_seed(f->e[1]);
    copy(mesh.b, sizeof mesh.b, f->e[2]);
    copy(head.salt, SALT_LEN, f->e[4]);
    for (uint32_t i = 0; i < n; i++)
        keep[i] = f->text[3][i] == '1';
    rc = merkle_build(nodes, &port, leaves, n);
    if (rc == SYNCLINE_OK)
        rc = merkle_sign(head.sig, &port, &mesh, nodes);
    proof_make(&whole, &head, nodes, n, 0, n);
    if (rc == SYNCLINE_OK)
        rc = proof_read(&p, buf_slice(&whole));
    if (rc == SYNCLINE_OK)
        rc = proof_shrink(&out, &port, &p, leaves, keep, n);
    if (rc == SYNCLINE_OK) {
        print(port.spki, " ");
        print(buf_slice(&out), "\n");
    }
    buf_free(&whole);
    buf_free(&out);
    return rc;
}

static int do_root(const struct fields *f, uint64_t number)
{
    static struct merkle_hash leaves[FIELDS_MAX];
    uint32_t n = leaves_of(f, 2, leaves);
    struct merkle_hash root;
    struct proof p;
    int rc = proof_read(&p, f->e[1]);

    (void)number;
    if (rc == SYNCLINE_OK)
        rc = proof_root(&root, &port, &p, leaves, n);
    if (rc == SYNCLINE_OK)
        print(SLICE(root.b, sizeof root.b), "\n");
    return rc;
}

static int do_verify(const struct fields *f, uint64_t number)
{
    struct merkle_hash root;
    struct mesh_id mesh;
    struct proof p;
    int rc = proof_read(&p, f->e[3]);

    (void)number;
    copy(mesh.b, sizeof mesh.b, f->e[2]);
    copy(root.b, sizeof root.b, f->e[4]);
    if (rc == SYNCLINE_OK)
        rc = merkle_verify(&port, f->e[1], p.head.sig, &mesh, &root);
    if (rc == SYNCLINE_OK)
        (void)puts("ok");
    return rc;
}

static int do_bind(const struct fields *f, uint64_t number)
{
    static struct proof proofs[FIELDS_MAX];
    static const struct proof *list[FIELDS_MAX];
    struct buf out = { 0 };
    uint32_t n = 0, at = 0;
    int rc = SYNCLINE_OK;

    (void)number;
    for (size_t i = 1; i < f->n && rc == SYNCLINE_OK; i++) {
        rc = proof_read(&proofs[n], f->e[i]);
        list[n] = &proofs[n];
        n++;
    }
    if (rc == SYNCLINE_OK)
        rc = sheaf_join(&out, list, n);
    if (rc == SYNCLINE_OK)
        print(buf_slice(&out), "");
    for (uint32_t i = 0; i < n && rc == SYNCLINE_OK; i++) {
        buf_clear(&out);
        sheaf_put_part(&out, &proofs[i], &at);
        (void)fputs(" ", stdout);
        print(buf_slice(&out), "");
    }
    if (rc == SYNCLINE_OK)
        (void)puts("");
    buf_free(&out);
    return rc;
}

static int do_cut(const struct fields *f, uint64_t number)
{
    static struct merkle_hash leaves[FIELDS_MAX];
    static struct sheaf_part parts[FIELDS_MAX];
    struct buf out = { 0 };
    struct arena a = { 0 };
    struct sheaf s;
    int rc = sheaf_read(&s, f->e[1]);

    ENSURE(number + 5 <= f->n);
    for (size_t i = 0; i < number && rc == SYNCLINE_OK; i++)
        rc = sheaf_get_part(&s, f->e[5 + i], &parts[i]);
    if (rc == SYNCLINE_OK && !sheaf_is_whole(&s))
        rc = SYNCLINE_EMALFORMED;
    s.leaves = leaves;
    if (rc == SYNCLINE_OK) {
        ENSURE(leaves_of(f, 5 + number, leaves) == s.proof.living_n);
        rc = sheaf_build(&s, &port, &a);
    }
    for (size_t i = 0; i < number && rc == SYNCLINE_OK; i++) {
        buf_clear(&out);
        sheaf_cut(&out, &s, &parts[i]);
        print(buf_slice(&out), i + 1 < number ? " " : "\n");
    }
    buf_free(&out);
    arena_free(&a);
    return rc;
}

/* Whoever holds this one key. */
struct holder {
    struct node node;
    struct space space;
    struct envelope_keys keys;
    struct sealer sealer;
    struct arena arena;
};

static struct holder *holder_of(const struct fields *f, uint64_t epoch)
{
    struct holder *h = calloc(1, sizeof *h);

    ENSURE(h != NULL);
    h->node.opt.crypto = &port;
    copy(h->node.mesh.b, MESH_ID_LEN, f->e[2]);
    copy(h->space.token.b, SPACE_TOKEN_LEN, f->e[3]);
    h->keys = keys_of(f, epoch);
    h->sealer = (struct sealer){
        .node = &h->node, .space = &h->space, .keys = &h->keys, .keys_n = 1
    };
    return h;
}

static int finish(
    struct holder *h, int rc, struct slice first, struct slice second)
{
    if (rc == SYNCLINE_OK) {
        print(first, " ");
        print(second, "\n");
    }
    arena_free(&h->arena);
    free(h);
    return rc;
}

static int do_relay(const struct fields *f, uint64_t number)
{
    struct holder *h = holder_of(f, number);
    struct reader r = reader_of(f->e[7]);
    struct item it, sealed;
    struct slice name = SLICE_NONE, bytes = SLICE_NONE;
    struct buf out = { 0 };
    int rc = get_item(&r, &it, &h->arena);

    if (rc == SYNCLINE_OK)
        rc = sealed_make(&h->sealer, f->e[6], &it, &name, &sealed, &h->arena);
    if (rc == SYNCLINE_OK) {
        put_item(&out, &sealed);
        bytes = arena_dup(&h->arena, buf_slice(&out));
    }
    buf_free(&out);
    return finish(h, rc, name, bytes);
}

static int do_member(const struct fields *f, uint64_t number)
{
    struct holder *h = holder_of(f, number);
    struct reader r = reader_of(f->e[7]);
    struct slice key = SLICE_NONE, bytes = SLICE_NONE;
    struct item it;
    int rc = get_item(&r, &it, &h->arena);

    if (rc == SYNCLINE_OK)
        rc = sealed_open(&h->sealer, f->e[6], &it, &key, &bytes, &h->arena);
    return finish(h, rc, key, bytes);
}

static int do_relay_record(const struct fields *f, uint64_t number)
{
    const struct sealed_record in = { f->e[6], f->e[7] };
    struct holder *h = holder_of(f, number);
    struct sealed_record out = { .tail = SLICE_NONE };
    int rc = sealed_record_make(&h->sealer, &in, &out, &h->arena);

    return finish(h, rc, out.tail, out.bytes);
}

static int do_member_record(const struct fields *f, uint64_t number)
{
    const struct sealed_record in = { f->e[6], f->e[7] };
    struct holder *h = holder_of(f, number);
    struct sealed_record out = { .tail = SLICE_NONE };
    int rc = sealed_record_open(&h->sealer, &in, &out, &h->arena);

    return finish(h, rc, out.tail, out.bytes);
}

static const struct {
    const char *name;
    int (*fn)(const struct fields *f, uint64_t number);
    size_t fields; /* at least, the word too */
} requests[] = {
    { "seal", do_seal, 8 },
    { "open", do_open, 7 },
    { "tokens", do_tokens, 8 },
    { "leaf", do_leaf, 6 },
    { "commit", do_commit, 6 },
    { "root", do_root, 3 },
    { "verify", do_verify, 5 },
    { "bind", do_bind, 2 },
    { "cut", do_cut, 6 },
    { "relay", do_relay, 8 },
    { "member", do_member, 8 },
    { "relay-record", do_relay_record, 8 },
    { "member-record", do_member_record, 8 },
};

static void take(struct fields *f, char *line)
{
    *f = (struct fields){ .n = 0 };
    for (char *at = strtok(line, " \n"); at != NULL && f->n < FIELDS_MAX;
         at = strtok(NULL, " \n"))
        f->text[f->n++] = at;
}

static int serve(struct fields *f)
{
    uint64_t number = f->n > 4 ? strtoull(f->text[4], NULL, 10) : 0;

    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        if (f->n < requests[i].fields ||
            strcmp(f->text[0], requests[i].name) != 0)
            continue;
        for (size_t k = 1; k < f->n; k++)
            if (requests[i].fn != do_commit || k != 3)
                f->e[k] = unhex(f->text[k]);
        return requests[i].fn(f, number);
    }
    return SYNCLINE_EINVAL;
}

int main(void)
{
    static const uint8_t seed[IDENTITY_SEED_LEN];
    static char line[1 << 16];
    struct fields f;

    use_seed(SLICE(seed, sizeof seed));
    while (fgets(line, sizeof line, stdin) != NULL) {
        int rc;

        take(&f, line);
        rc = serve(&f);
        if (rc != SYNCLINE_OK)
            (void)printf("! %d\n", rc);
        (void)fflush(stdout);
    }
    identity_free(identity);
    return EXIT_SUCCESS;
}
