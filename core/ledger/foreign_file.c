/* foreign_file.c: records out of a file: JSON lines, or one JSON array, as its first character
 * says. Streamed: at most one record is in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/foreign.h"

#define CHUNK (64u << 10)

typedef struct reading {
	foreign_source *s;
	int fd;
	char chunk[CHUNK];
	size_t have, at;
	int64_t byte, line; /* of the next character */
	int64_t total;
	wr_buf record;
	foreign_place began;
	bool overlong;
} reading;

bool foreign_stopped(const foreign_source *s, wr_err *err)
{
	if (!s->hooks || !s->hooks->stop || !s->hooks->stop(s->hooks->ctx)) return false;
	(void)wr_fail(err, WR_E_CANCELLED, "stopped");
	return true;
}

void foreign_progress(const foreign_source *s, int64_t total)
{
	if (s->hooks && s->hooks->progress)
		s->hooks->progress(s->hooks->ctx, s->c->r->checked, s->c->r->bytes, total);
}

/* 1: more is in the chunk; 0: the end. */
static int refill(reading *d, wr_err *err)
{
	if (d->at < d->have) return 1;
	if (foreign_stopped(d->s, err)) return -1;
	foreign_progress(d->s, d->total);
	ssize_t n;
	do n = read(d->fd, d->chunk, sizeof d->chunk);
	while (n < 0 && errno == EINTR);
	if (n < 0) return wr_fail_errno(err, errno, "cannot read %.300s", d->s->where);
	d->have = (size_t)n;
	d->at = 0;
	d->s->c->r->bytes += n;
	return n > 0;
}

static void keep(reading *d, const char *s, size_t n)
{
	if (d->record.len + n > WR_FOREIGN_RECORD_MAX)
		d->overlong = true;
	else
		wr_buf_add(&d->record, s, n);
}

static int give(reading *d, wr_err *err)
{
	int rc = 0;
	if (d->overlong) {
		foreign_check_damage(d->s->c, &d->began, "more than 1 MiB");
	} else if (!wr_buf_ok(&d->record)) {
		rc = wr_fail(err, WR_E_NOMEM, "out of memory");
	} else {
		d->s->last.byte = d->began.byte;
		d->s->last.line = d->began.line;
		rc = foreign_check_record(d->s->c, wr_buf_cstr(&d->record), d->record.len, &d->began, err);
	}
	wr_buf_reset(&d->record);
	d->overlong = false;
	return rc;
}

static bool blank_record(const reading *d)
{
	const char *s = wr_buf_cstr(&d->record);
	return !d->overlong && strspn(s, " \t\r\n") == d->record.len;
}

/* ---- lines ---- */

/* A line that does not end and cannot be read yet is somebody writing. */
static int last_line(reading *d, wr_err *err)
{
	wr_err why;
	if (blank_record(d)) return 0;
	if (d->overlong ||
	    wr_jt_parse(d->s->c->jt, wr_buf_cstr(&d->record), d->record.len, &why) != 0) {
		foreign_check_torn(d->s->c, &d->began, d->byte - d->began.byte);
		return 0;
	}
	return give(d, err);
}

static int read_lines(reading *d, wr_err *err)
{
	int more;
	d->began = (foreign_place){.line = d->line, .byte = d->byte};
	while ((more = refill(d, err)) > 0) {
		const char *from = d->chunk + d->at, *end = memchr(from, '\n', d->have - d->at);
		size_t n = end ? (size_t)(end - from) : d->have - d->at;
		keep(d, from, n);
		d->at += n + (end != NULL);
		d->byte += (int64_t)n + (end != NULL);
		if (!end) continue;
		d->line++;
		if (blank_record(d))
			wr_buf_reset(&d->record);
		else if (give(d, err) != 0)
			return -1;
		d->began = (foreign_place){.line = d->line, .byte = d->byte};
	}
	return more < 0 ? -1 : last_line(d, err);
}

/* ---- an array ---- */

typedef enum where { BEFORE, FIRST, ELEMENT, BETWEEN, NEXT, AFTER } where;

typedef struct splitter {
	where where;
	int depth;
	bool string, escape;
} splitter;

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Follows one character of an element; true when the element ends before (a scalar: *take false) or
 * with it. */
static bool element_ends(splitter *p, char c, bool *take)
{
	*take = true;
	if (p->string) {
		if (p->escape)
			p->escape = false;
		else if (c == '\\')
			p->escape = true;
		else if (c == '"')
			p->string = false;
		return false;
	}
	if (c == '"')
		p->string = true;
	else if (c == '{' || c == '[')
		p->depth++;
	else if (p->depth == 0 && (c == ',' || c == ']' || is_blank(c)))
		return *take = false, true;
	else if (c == '}' || c == ']')
		return --p->depth <= 0;
	return false;
}

/* One character; 1: the file is no array from here on. */
static int step(reading *d, splitter *p, char c, wr_err *err)
{
	bool take;
	if (p->where == ELEMENT) {
		bool ends = element_ends(p, c, &take);
		if (take) keep(d, &c, 1);
		if (!ends) return 0;
		p->where = BETWEEN;
		if (give(d, err) != 0) return -1;
		if (take) return 0;
	}
	if (is_blank(c)) return 0;
	if (p->where == BEFORE && c == '[') {
		p->where = FIRST;
	} else if ((p->where == BETWEEN || p->where == FIRST) && c == ']') {
		p->where = AFTER;
	} else if (p->where == BETWEEN && c == ',') {
		p->where = NEXT;
	} else if (p->where == FIRST || p->where == NEXT) {
		p->where = ELEMENT;
		p->depth = 0;
		p->string = p->escape = false;
		d->began = (foreign_place){.line = d->line, .byte = d->byte};
		return step(d, p, c, err);
	} else {
		return 1;
	}
	return 0;
}

static int read_array(reading *d, wr_err *err)
{
	splitter p = {.where = BEFORE};
	int more, rc = 0;
	while (rc == 0 && (more = refill(d, err)) > 0) {
		char c = d->chunk[d->at];
		rc = step(d, &p, c, err);
		d->at++;
		d->byte++;
		if (c == '\n') d->line++;
	}
	if (rc < 0 || (rc == 0 && more < 0)) return -1;
	foreign_place here = {.line = d->line, .byte = d->byte};
	if (rc == 1)
		foreign_check_damage(d->s->c, &here, "something that a JSON array cannot have here");
	else if (p.where != AFTER)
		foreign_check_damage(d->s->c, &here, "the end of the file inside the array");
	return 0;
}

/* ---- the file ---- */

static void stat_spot(struct foreign_spot *spot, const struct stat *st)
{
	spot->dev = (int64_t)st->st_dev;
	spot->ino = (int64_t)st->st_ino;
	spot->size = st->st_size;
	spot->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool same_file(const struct foreign_spot *a, const struct foreign_spot *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

/* The first character that is not blank decides. */
static int find_form(reading *d, wr_err *err)
{
	int more;
	while ((more = refill(d, err)) > 0 && is_blank(d->chunk[d->at])) {
		if (d->chunk[d->at++] == '\n') d->line++;
		d->byte++;
	}
	if (more > 0) d->s->last.array = d->chunk[d->at] == '[';
	return more < 0 ? -1 : 0;
}

static int read_open(reading *d, bool resume, wr_err *err)
{
	foreign_source *s = d->s;
	struct stat st;
	if (fstat(d->fd, &st) != 0) return wr_fail_errno(err, errno, "cannot look at %.300s", s->where);
	if (S_ISDIR(st.st_mode)) return wr_fail(err, WR_E_INVALID, "%.300s is a directory", s->where);
	d->total = S_ISREG(st.st_mode) ? st.st_size : -1;
	s->last = s->head;
	stat_spot(&s->last, &st);
	d->line = 1;
	if (resume && s->head.array) {
		/* Whoever adds to an array writes it anew: only an untouched one needs no reading. */
		if (!same_file(&s->head, &s->last)) return 0;
		s->c->found = true;
		s->c->r->head = s->c->r->consistent = s->c->known;
		return 0;
	}
	if (resume) {
		if (lseek(d->fd, s->head.byte, SEEK_SET) < 0) return 0;
		d->byte = s->head.byte;
		d->line = s->head.line;
		return read_lines(d, err);
	}
	if (find_form(d, err) != 0) return -1;
	return s->last.array ? read_array(d, err) : read_lines(d, err);
}

int foreign_read_file(foreign_source *s, bool resume, wr_err *err)
{
	reading d = {.s = s, .record = WR_BUF_INIT(WR_FOREIGN_RECORD_MAX)};
	/* A pipe with nobody at the other end must not hold us up. */
	d.fd = open(s->where, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (d.fd < 0) return wr_fail_errno(err, errno, "cannot open %.300s", s->where);
	int rc = read_open(&d, resume, err);
	close(d.fd);
	wr_buf_free(&d.record);
	return rc;
}
