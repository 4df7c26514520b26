/* The physical limit: the least program that does a WebSocket fan-out. One epoll loop, one thread, no protocol
 * beyond what can be measured. It answers the opening handshake, takes masked text frames that hold
 *     {"type":"subscribe","id":N,...}      every subscriber is in the one and only channel
 *     {"type":"publish","id":N,...,"data":...}   (data comes last)
 * and anything else with an id, acknowledges each with {"type":"ok","id":N}, and sends each publication, built
 * once, to every subscriber with one send(). Publications read together are sent together. It checks nothing
 * that a real server must check, and that is the point.
 *
 * Build: gcc -O2 -o loop loop.c        Usage: loop PORT
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MAX_FDS = 65536, BUFFER = 1 << 17, BATCH = 1 << 18 };

struct connection {
    int open, upgraded, subscribed;
    char *in, *out;             /* the start of an unfinished frame; what the kernel would not take yet */
    size_t in_size, out_size;
};

static struct connection connections[MAX_FDS];
static int subscribers[MAX_FDS], subscriber_count, poller;
static char batch[BATCH];       /* publications of this read, framed and ready for every subscriber */
static size_t batch_size;

/* --- the opening handshake: base64(SHA-1(key + GUID)), FIPS 180-4 and RFC 6455 section 4.2.2 --- */

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1(const char *text, size_t size, unsigned char digest[20]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
    unsigned char padded[128] = {0};            /* key and GUID are 60 bytes: two blocks */
    memcpy(padded, text, size);
    padded[size] = 0x80;
    padded[126] = (unsigned char)(size * 8 >> 8), padded[127] = (unsigned char)(size * 8);
    for (int block = 0; block < 2; block++) {
        for (int i = 0; i < 16; i++) {
            const unsigned char *p = padded + block * 64 + i * 4;
            w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
        }
        for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20 ? ((b & c) | (~b & d)) + 0x5a827999 : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                       : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc : (b ^ c ^ d) + 0xca62c1d6;
            uint32_t next = rotate(a, 5) + f + e + w[i];
            e = d, d = c, c = rotate(b, 30), b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
}

static void base64(const unsigned char digest[20], char text[29]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0, o = 0; i < 20; i += 3, o += 4) {
        uint32_t bits = (uint32_t)digest[i] << 16 | (uint32_t)digest[i + 1] << 8 | (i + 2 < 20 ? digest[i + 2] : 0);
        for (int k = 0; k < 4; k++) text[o + k] = letters[bits >> (18 - 6 * k) & 63];
    }
    text[27] = '=', text[28] = 0;
}

/* --- connections --- */

static void drop(int fd) {
    struct connection *c = &connections[fd];
    for (int i = 0; c->subscribed && i < subscriber_count; i++)
        if (subscribers[i] == fd) { subscribers[i] = subscribers[--subscriber_count]; break; }
    free(c->in), free(c->out);
    memset(c, 0, sizeof *c);
    close(fd);
}

/* Sends, and keeps what the kernel does not take until the socket is writable again. */
static void deliver(int fd, const char *data, size_t size) {
    struct connection *c = &connections[fd];
    ssize_t sent = c->out_size ? 0 : send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)size) return;
    if (sent < 0) sent = 0;
    c->out = realloc(c->out, c->out_size + size - (size_t)sent);
    memcpy(c->out + c->out_size, data + sent, size - (size_t)sent);
    c->out_size += size - (size_t)sent;
    epoll_ctl(poller, EPOLL_CTL_MOD, fd, &(struct epoll_event){EPOLLIN | EPOLLOUT, {.fd = fd}});
}

static void flush(int fd) {
    struct connection *c = &connections[fd];
    ssize_t sent = send(fd, c->out, c->out_size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return;
    memmove(c->out, c->out + sent, c->out_size -= (size_t)sent);
    if (!c->out_size) epoll_ctl(poller, EPOLL_CTL_MOD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}});
}

static size_t head(char *to, size_t size) {     /* FIN + text, unmasked */
    to[0] = (char)0x81;
    if (size < 126) return to[1] = (char)size, 2;
    return to[1] = 126, to[2] = (char)(size >> 8), to[3] = (char)size, 4;
}

static void send_batch(void) {
    for (int i = 0; i < subscriber_count; i++) deliver(subscribers[i], batch, batch_size);
    batch_size = 0;
}

static void command(int fd, char *text, size_t size) {
    static const char start[] = "{\"type\":\"publication\",\"data\":";
    char reply[64], body[64];
    char *id = memmem(text, size, "\"id\":", 5), *data;
    if (!memcmp(text, "{\"type\":\"sub", 12) && !connections[fd].subscribed) {
        connections[fd].subscribed = 1;
        subscribers[subscriber_count++] = fd;
    } else if (!memcmp(text, "{\"type\":\"pub", 12) && subscriber_count
               && (data = memmem(text, size, "\"data\":", 7))) {
        size_t rest = size - (size_t)(data + 7 - text), body_size = sizeof start - 1 + rest;
        if (batch_size + body_size + 4 > BATCH) send_batch();
        batch_size += head(batch + batch_size, body_size);
        memcpy(batch + batch_size, start, sizeof start - 1);
        memcpy(batch + batch_size + sizeof start - 1, data + 7, rest);
        batch_size += body_size;
    }
    int n = snprintf(body, sizeof body, "{\"type\":\"ok\",\"id\":%ld}", id ? strtol(id + 5, 0, 10) : 0);
    size_t at = head(reply, (size_t)n);
    memcpy(reply + at, body, (size_t)n);
    deliver(fd, reply, at + (size_t)n);
}

/* Takes whole frames from `data`; returns how many bytes it used, or -1 when the client is leaving. */
static ssize_t frames(int fd, unsigned char *data, size_t size) {
    size_t at = 0;
    while (size - at >= 6) {
        unsigned char *p = data + at;
        size_t length = p[1] & 127, first = 2;
        if (length == 127) return -1;
        if (length == 126) length = (size_t)p[2] << 8 | p[3], first = 4;
        if (size - at < first + 4 + length) break;
        unsigned char *mask = p + first, *text = mask + 4;
        for (size_t i = 0; i < length; i++) text[i] ^= mask[i & 3];
        if ((p[0] & 15) == 8) return -1;
        if ((p[0] & 15) == 1 && length >= 12) command(fd, (char *)text, length);
        at += first + 4 + length;
    }
    return (ssize_t)at;
}

static void upgrade(int fd, char *request) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char key[64], accept[29], response[256], *value = strcasestr(request, "sec-websocket-key:");
    unsigned char digest[20];
    if (!value || !strstr(request, "\r\n\r\n")) { drop(fd); return; }
    value += 18 + strspn(value + 18, " ");
    memcpy(key, value, 24);
    memcpy(key + 24, guid, 36);
    sha1(key, 60, digest);
    base64(digest, accept);
    int n = snprintf(response, sizeof response, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    connections[fd].upgraded = 1;
    deliver(fd, response, (size_t)n);
}

static void readable(int fd) {
    static char buffer[BUFFER * 2 + 16];
    struct connection *c = &connections[fd];
    size_t kept = c->in_size;
    memcpy(buffer, c->in, kept);
    ssize_t n = recv(fd, buffer + kept, BUFFER, MSG_DONTWAIT);
    if (n <= 0) { drop(fd); return; }
    size_t size = kept + (size_t)n;
    buffer[size] = 0;
    if (!c->upgraded) { upgrade(fd, buffer); return; }
    ssize_t used = frames(fd, (unsigned char *)buffer, size);
    if (batch_size) send_batch();
    if (used < 0) { drop(fd); return; }
    c->in_size = size - (size_t)used;
    if (c->in_size || c->in) c->in = realloc(c->in, c->in_size + 1), memcpy(c->in, buffer + used, c->in_size);
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "9000")),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct epoll_event events[1024];
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return perror("loop"), 1;
    poller = epoll_create1(0);
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &(struct epoll_event){EPOLLIN, {.fd = listener}});
    for (;;) {
        int count = epoll_wait(poller, events, 1024, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                    connections[fd].open = 1;
                    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}});
                }
                continue;
            }
            if (connections[fd].out_size && events[i].events & EPOLLOUT) flush(fd);
            if (connections[fd].open && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(fd);
        }
    }
}
