#include "compress.h"

#include <limits.h>
#include <zlib.h>
#include <zstd.h>

/* Log text compresses tenfold at the lowest levels; a higher one costs several times the CPU of the
 * rest of the run for a few per cent less on the wire. */
#define GZIP_LEVEL 1
#define ZSTD_LEVEL 1

#define PIECE_BYTES ((size_t)64 << 10) /* that an expanded text grows by at least */

int compress_gzip(struct bytes in, struct buf *out, struct error *err)
{
    z_stream z = { 0 };
    if (in.len > UINT_MAX / 2 ||
        deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return error_set(err, ERR_BUG, "gzip: cannot begin");
    uLong bound = deflateBound(&z, (uLong)in.len);
    int rc = Z_MEM_ERROR;
    if (buf_reserve(out, bound)) {
        z.next_in = (z_const Bytef *)in.data;
        z.avail_in = (uInt)in.len;
        z.next_out = (Bytef *)out->data + out->len;
        z.avail_out = (uInt)bound;
        rc = deflate(&z, Z_FINISH);
        out->len += z.total_out;
        out->data[out->len] = '\0';
    }
    deflateEnd(&z);
    return rc == Z_STREAM_END ? 0 : error_set(err, ERR_BUG, "gzip: failed with %d", rc);
}

int compress_zstd(struct bytes in, struct buf *out, struct error *err)
{
    size_t bound = ZSTD_compressBound(in.len);
    if (!buf_reserve(out, bound))
        return error_set(err, ERR_BUG, "zstd: no room for %zu bytes", bound);
    size_t len = ZSTD_compress(out->data + out->len, bound, in.data, in.len, ZSTD_LEVEL);
    if (ZSTD_isError(len))
        return error_set(err, ERR_BUG, "zstd: %s", ZSTD_getErrorName(len));
    out->len += len;
    out->data[out->len] = '\0';
    return 0;
}

bool compress_is_gzip(struct bytes in)
{
    return in.len > 2 && (unsigned char)in.data[0] == 0x1f && (unsigned char)in.data[1] == 0x8b;
}

/* One piece more of a member: Z_STREAM_END at its end, Z_BUF_ERROR where `out` is full. */
static int inflate_piece(z_stream *z, struct buf *out)
{
    size_t room = out->len > PIECE_BYTES ? out->len : PIECE_BYTES;
    if (room > out->max - out->len)
        room = out->max - out->len;
    if (room > UINT_MAX / 2)
        room = UINT_MAX / 2;
    if (room == 0 || !buf_reserve(out, room))
        return Z_BUF_ERROR;
    z->next_out = (Bytef *)out->data + out->len;
    z->avail_out = (uInt)room;
    int rc = inflate(z, Z_NO_FLUSH);
    out->len += room - z->avail_out;
    out->data[out->len] = '\0';
    return rc;
}

int compress_gunzip(struct bytes in, struct buf *out, struct error *err)
{
    z_stream z = { 0 };
    int rc = Z_OK;
    if (in.len > UINT_MAX / 2 || inflateInit2(&z, MAX_WBITS + 16) != Z_OK)
        return error_set(err, ERR_BUG, "gzip: cannot begin");
    z.next_in = (z_const Bytef *)in.data;
    z.avail_in = (uInt)in.len;
    while (rc == Z_OK) {
        rc = inflate_piece(&z, out);
        if (rc == Z_STREAM_END && z.avail_in > 0)
            rc = inflateReset(&z); /* another member */
    }
    bool full = rc == Z_BUF_ERROR && out->len == out->max;
    inflateEnd(&z);
    if (full)
        return error_set(err, ERR_INPUT, "gzip: holds more than %zu bytes", out->max);
    return rc == Z_STREAM_END ? 0 : error_set(err, ERR_INPUT, "gzip: damaged or cut short");
}
