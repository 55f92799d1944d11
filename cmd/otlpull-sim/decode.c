#include "decode.h"

#include <limits.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#define PIECE_BYTES ((size_t)64 << 10)
#define ANY_WINDOW  15        /* zlib: up to the longest */
#define GZIP_WINDOW (15 + 16) /* ... with gzip's head */

static int inflate_all(z_stream *z, bool members, struct buf *out, struct error *err)
{
    unsigned char piece[PIECE_BYTES];
    int rc = Z_OK;
    while (rc != Z_STREAM_END) {
        z->next_out = piece;
        z->avail_out = sizeof(piece);
        rc = inflate(z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END)
            return error_set(err, ERR_INPUT, "compressed data broken or cut");
        buf_append(out, piece, sizeof(piece) - z->avail_out);
        if (out->full)
            return error_set(err, ERR_INPUT, "more than %zu bytes decompressed", out->max);
        if (rc == Z_STREAM_END && members && z->avail_in > 0)
            rc = inflateReset(z);
    }
    return 0;
}

static int decode_zlib(int window, struct bytes in, struct buf *out, struct error *err)
{
    z_stream z = { .next_in = (const Bytef *)in.data, .avail_in = (uInt)in.len };
    if (in.len > UINT_MAX || inflateInit2(&z, window) != Z_OK)
        return error_set(err, ERR_INPUT, "cannot be decompressed");
    int rc = inflate_all(&z, window == GZIP_WINDOW, out, err);
    inflateEnd(&z);
    return rc;
}

static int zstd_all(ZSTD_DStream *stream, struct bytes in, struct buf *out, struct error *err)
{
    char piece[PIECE_BYTES];
    ZSTD_inBuffer from = { in.data, in.len, 0 };
    size_t rest = 1; /* 0 at the end of a frame */
    bool more = true;
    while (more) {
        ZSTD_outBuffer to = { piece, sizeof(piece), 0 };
        rest = ZSTD_decompressStream(stream, &to, &from);
        if (ZSTD_isError(rest))
            return error_set(err, ERR_INPUT, "compressed data broken");
        buf_append(out, piece, to.pos);
        if (out->full)
            return error_set(err, ERR_INPUT, "more than %zu bytes decompressed", out->max);
        more = from.pos < from.size || (rest > 0 && to.pos == to.size);
    }
    return rest == 0 ? 0 : error_set(err, ERR_INPUT, "compressed data cut");
}

static int decode_zstd(struct bytes in, struct buf *out, struct error *err)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    int rc = stream ? zstd_all(stream, in, out, err) : error_set(err, ERR_INPUT, "no memory");
    ZSTD_freeDStream(stream);
    return rc;
}

int decode_body(const char *coding, struct bytes in, struct buf *out, struct error *err)
{
    if (!coding || !*coding) {
        buf_append_bytes(out, in);
        return out->full ? error_set(err, ERR_INPUT, "more than %zu bytes", out->max) : 0;
    }
    if (strcmp(coding, "gzip") == 0)
        return decode_zlib(GZIP_WINDOW, in, out, err);
    if (strcmp(coding, "deflate") == 0)
        return decode_zlib(ANY_WINDOW, in, out, err);
    if (strcmp(coding, "zstd") == 0)
        return decode_zstd(in, out, err);
    return error_set(err, ERR_INPUT, "unsupported Content-Encoding");
}
