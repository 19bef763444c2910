/* theme.c: parsing themes, and the nearest colour of a poorer terminal. */
#include "theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warroom/io.h"

#define THEME_MAX (64u << 10)

static const char builtin_dark[] = "bg = default\n"
                                   "fg = #d0d0d0 252 white\n"
                                   "dim = #9a9a9a 247 white\n"
                                   "accent = #5fafff 75 bright-cyan\n"
                                   "border = #6b7b8b 66 blue\n"
                                   "border_focus = #5fafff 75 bright-cyan, bold\n"
                                   "title = #afd7ff 153 bright-cyan, bold\n"
                                   "select = #ffffff 231 bright-white, bold\n"
                                   "select.bg = #264f78 24 blue\n"
                                   "hint_key = #ffd75f 221 bright-yellow, bold\n"
                                   "hint_text = #a8a8a8 248 white\n"
                                   "match = #ffd75f 221 bright-yellow, bold\n"
                                   "sev1 = #ff6b6b 203 bright-red, bold\n"
                                   "sev2 = #ff875f 209 bright-magenta, bold\n"
                                   "sev3 = #ffd75f 221 bright-yellow\n"
                                   "sev4 = #d7d7af 187 yellow\n"
                                   "ok = #87d787 114 bright-green\n"
                                   "stale = #949494 246 white\n"
                                   "unknown = #d7afff 183 bright-magenta\n"
                                   "info = #87afd7 110 cyan\n"
                                   "banner = #ffffff 231 bright-white, bold\n"
                                   "banner.bg = #af0000 124 red\n"
                                   "input = #ffffff 231 bright-white\n"
                                   "input.bg = #303030 236 black\n";
static const char builtin_light[] = "bg = #ffffff 231 bright-white\n"
                                    "fg = #1c1c1c 234 black\n"
                                    "dim = #5c5c5c 240 black\n"
                                    "accent = #005faf 25 blue\n"
                                    "border = #708090 244 blue\n"
                                    "border_focus = #005faf 25 blue, bold\n"
                                    "title = #00408a 24 blue, bold\n"
                                    "select = #000000 16 black, bold\n"
                                    "select.bg = #b8d8ff 153 cyan\n"
                                    "hint_key = #8a3a00 94 magenta, bold\n"
                                    "hint_text = #4e4e4e 239 black\n"
                                    "match = #8a3a00 94 magenta, bold\n"
                                    "sev1 = #b00000 124 red, bold\n"
                                    "sev2 = #a83800 130 red\n"
                                    "sev3 = #7a5200 94 magenta\n"
                                    "sev4 = #5a5a00 58 magenta\n"
                                    "ok = #006000 22 green\n"
                                    "stale = #646464 241 black\n"
                                    "unknown = #6a1b9a 54 magenta\n"
                                    "info = #005080 24 blue\n"
                                    "banner = #ffffff 231 bright-white, bold\n"
                                    "banner.bg = #a00000 124 red\n"
                                    "input = #000000 16 black\n"
                                    "input.bg = #e4e4e4 254 cyan\n";
static const char builtin_contrast[] = "bg = #000000 16 black\n"
                                       "fg = #ffffff 231 bright-white\n"
                                       "dim = #d0d0d0 252 white\n"
                                       "accent = #00ffff 51 bright-cyan, bold\n"
                                       "border = #ffffff 231 bright-white\n"
                                       "border_focus = #ffff00 226 bright-yellow, bold\n"
                                       "title = #ffff00 226 bright-yellow, bold\n"
                                       "select = #000000 16 black, bold\n"
                                       "select.bg = #ffff00 226 bright-yellow\n"
                                       "hint_key = #ffff00 226 bright-yellow, bold\n"
                                       "hint_text = #ffffff 231 bright-white\n"
                                       "match = #ffff00 226 bright-yellow, bold\n"
                                       "sev1 = #ff8080 210 bright-red, bold\n"
                                       "sev2 = #ffb060 215 bright-magenta, bold\n"
                                       "sev3 = #ffff00 226 bright-yellow, bold\n"
                                       "sev4 = #ffffa0 229 bright-yellow\n"
                                       "ok = #60ff60 83 bright-green, bold\n"
                                       "stale = #c8c8c8 251 white\n"
                                       "unknown = #ffa0ff 219 bright-magenta, bold\n"
                                       "info = #80d0ff 117 bright-cyan\n"
                                       "banner = #000000 16 black, bold\n"
                                       "banner.bg = #ff8080 210 bright-red\n"
                                       "input = #000000 16 black\n"
                                       "input.bg = #ffffff 231 white\n";
/* Okabe and Ito's palette: told apart with deuteranopia and protanopia. */
static const char builtin_cvd[] = "bg = default\n"
                                  "fg = #d0d0d0 252 white\n"
                                  "dim = #9a9a9a 247 white\n"
                                  "accent = #56b4e9 74 bright-cyan\n"
                                  "border = #6f7f8f 66 blue\n"
                                  "border_focus = #56b4e9 74 bright-cyan, bold\n"
                                  "title = #9fd3f0 153 bright-cyan, bold\n"
                                  "select = #ffffff 231 bright-white, bold\n"
                                  "select.bg = #1f4e79 24 blue\n"
                                  "hint_key = #f0e442 227 bright-yellow, bold\n"
                                  "hint_text = #a8a8a8 248 white\n"
                                  "match = #f0e442 227 bright-yellow, bold\n"
                                  "sev1 = #f08030 208 bright-red, bold\n"
                                  "sev2 = #e69f00 214 bright-yellow, bold\n"
                                  "sev3 = #f0e442 227 yellow\n"
                                  "sev4 = #d7d7af 187 white\n"
                                  "ok = #56b4e9 74 bright-cyan\n"
                                  "stale = #949494 246 white\n"
                                  "unknown = #d88fb5 175 bright-magenta\n"
                                  "info = #9fd3f0 153 cyan\n"
                                  "banner = #000000 16 black, bold\n"
                                  "banner.bg = #e69f00 214 bright-yellow\n"
                                  "input = #ffffff 231 bright-white\n"
                                  "input.bg = #303030 236 black\n";
static const char builtin_mono[] = "dim = default, dim\n"
                                   "accent = default, bold\n"
                                   "border = default, dim\n"
                                   "border_focus = default\n"
                                   "title = default, bold\n"
                                   "select = default, reverse\n"
                                   "hint_key = default, bold\n"
                                   "match = default, bold, underline\n"
                                   "sev1 = default, bold, reverse\n"
                                   "sev2 = default, bold\n"
                                   "sev3 = default, bold\n"
                                   "stale = default, dim\n"
                                   "unknown = default, underline\n"
                                   "banner = default, bold, reverse\n"
                                   "input = default, underline\n";

static const struct {
	const char *name, *text;
} builtins[] = {{"dark", builtin_dark},
                {"light", builtin_light},
                {"high-contrast", builtin_contrast},
                {"colour-blind", builtin_cvd},
                {"mono", builtin_mono}};
#define BUILTINS (sizeof builtins / sizeof *builtins)

static const char *const names16[] = {"black", "red",     "green", "yellow",
                                      "blue",  "magenta", "cyan",  "white"};
static const int rgb16[] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd,
                            0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                            0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};

const char *theme_builtin(size_t i)
{
	return i < BUILTINS ? builtins[i].name : NULL;
}

static int cube(int v)
{
	return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40;
}

int theme_index256(const colour *c)
{
	if (c->index256 >= 0 || c->rgb < 0) return c->index256;
	int r = c->rgb >> 16 & 255, g = c->rgb >> 8 & 255, b = c->rgb & 255;
	int high = r > g ? r : g, low = r < g ? r : g;
	if (b > high) high = b;
	if (b < low) low = b;
	if (high - low < 12) { /* the grey ramp is finer than the cube */
		int grey = (r + g + b) / 3;
		if (grey < 8) return 16;
		return grey > 246 ? 231 : 232 + (grey - 8) * 24 / 240;
	}
	return 16 + 36 * cube(r) + 6 * cube(g) + cube(b);
}

int theme_index16(const colour *c)
{
	if (c->index16 >= 0 || c->rgb < 0) return c->index16;
	int best = 7, least = 1 << 30;
	for (int i = 0; i < 16; i++) {
		int dr = (rgb16[i] >> 16 & 255) - (c->rgb >> 16 & 255),
		    dg = (rgb16[i] >> 8 & 255) - (c->rgb >> 8 & 255),
		    db = (rgb16[i] & 255) - (c->rgb & 255);
		int d = 2 * dr * dr + 4 * dg * dg + 3 * db * db;
		if (d < least) {
			least = d;
			best = i;
		}
	}
	return best;
}

static int name16(const char *s)
{
	bool bright = !strncmp(s, "bright-", 7);
	for (int i = 0; i < 8; i++)
		if (!strcmp(s + (bright ? 7 : 0), names16[i])) return i + (bright ? 8 : 0);
	return -1;
}

static char *trim(char *s)
{
	while (*s == ' ' || *s == '\t') s++;
	size_t n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1])) s[--n] = '\0';
	return s;
}

/* Cuts the first word off *s; "" at the end. */
static char *word(char **s)
{
	char *w = trim(*s);
	*s = w + strcspn(w, " \t");
	if (**s) *(*s)++ = '\0';
	return w;
}

static int parse_first(const char *w, colour *out)
{
	char *end;
	if (!strcmp(w, "default")) return 0;
	if (*w == '#') {
		long v = strtol(w + 1, &end, 16);
		if (strspn(w + 1, "0123456789abcdefABCDEF") != 6 || w[7]) return -1;
		out->rgb = (int)v;
		return 0;
	}
	int i = name16(w);
	if (i < 0) return -1;
	out->index16 = out->index256 = i;
	out->rgb = rgb16[i];
	return 0;
}

static int parse_colour(char *s, colour *out)
{
	*out = (colour){-1, -1, -1};
	char *end, *w = word(&s);
	if (parse_first(w, out) != 0) return -1;
	w = word(&s);
	if (!*w) return 0;
	long n = strtol(w, &end, 10);
	if (end == w || *end || n < 0 || n > 255) return -1;
	out->index256 = (int)n;
	w = word(&s);
	if (!*w) return 0;
	out->index16 = name16(w);
	return out->index16 < 0 || *trim(s) ? -1 : 0;
}

static int parse_attrs(char *attrs, int *out, wr_err *err)
{
	static const char *const names[] = {"bold", "dim", "reverse", "underline"};
	*out = 0;
	while (attrs) {
		char *next = strchr(attrs, ',');
		if (next) *next++ = '\0';
		int bit = 0;
		for (int i = 0; i < 4; i++)
			if (!strcmp(trim(attrs), names[i])) bit = 1 << i;
		if (!bit)
			return wr_fail(err, WR_E_INVALID,
			               "\"%.40s\" is no attribute: use bold, dim, reverse, underline",
			               trim(attrs));
		*out |= bit;
		attrs = next;
	}
	return 0;
}

static int parse_line(theme *t, char *key, char *value, wr_err *err)
{
	size_t n = strlen(key);
	bool ground = n > 3 && !strcmp(key + n - 3, ".bg");
	if (ground) key[n - 3] = '\0';
	int r = -1;
	for (int i = 0; i < ROLE_COUNT; i++)
		if (!strcmp(key, role_name((role)i))) r = i;
	if (r < 0 && (ground || strcmp(key, "bg") != 0))
		return wr_fail(err, WR_E_INVALID, "\"%.40s\" is no role", key);
	char *attrs = strchr(value, ',');
	if (attrs) *attrs++ = '\0';
	colour c;
	char shown[48];
	snprintf(shown, sizeof shown, "%.40s", trim(value));
	if (parse_colour(value, &c) != 0)
		return wr_fail(err, WR_E_INVALID,
		               "\"%s\" is no colour: use #RRGGBB, a name or default, then perhaps 0-255, "
		               "then perhaps a name",
		               shown);
	if (r < 0) {
		t->bg = c;
		return 0;
	}
	if (ground) {
		t->roles[r].bg = c;
		t->roles[r].own_bg = true;
		return 0;
	}
	t->roles[r].fg = c;
	return parse_attrs(attrs, &t->roles[r].attrs, err);
}

int theme_parse(theme *t, const char *text, size_t len, const char *file, wr_err *err)
{
	unsigned line = 0;
	const char *p = text, *end = text + len;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = nl ? (size_t)(nl - p) : (size_t)(end - p);
		char buf[256];
		line++;
		if (n >= sizeof buf) return wr_fail(err, WR_E_INVALID, "%s:%u: line too long", file, line);
		memcpy(buf, p, n);
		buf[n] = '\0';
		p = nl ? nl + 1 : end;
		char *s = trim(buf);
		if (!*s || *s == '#') continue;
		char *eq = strchr(s, '=');
		if (!eq) return wr_fail(err, WR_E_INVALID, "%s:%u: expected role = colour", file, line);
		*eq = '\0';
		if (parse_line(t, trim(s), eq + 1, err) != 0) return wr_err_wrap(err, "%s:%u", file, line);
	}
	return 0;
}

static int parse_file(theme *t, const char *path, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(THEME_MAX);
	int rc = wr_read_file(&text, path, THEME_MAX, WR_ANY, err);
	if (rc == 0) rc = theme_parse(t, wr_buf_cstr(&text), text.len, path, err);
	wr_buf_free(&text);
	return rc;
}

/* The user's own, then beside the program: installed, or in the source tree. */
static bool find_file(const char *name, char *out, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char bin[2048];
	ssize_t n = readlink("/proc/self/exe", bin, sizeof bin - 1);
	bin[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(bin, '/');
	if (slash) *slash = '\0';
	const char *const places[][2] = {{config && *config ? config : "", "/warroom/themes"},
	                                 {home && *home ? home : "", "/.config/warroom/themes"},
	                                 {bin, "/../share/warroom/themes"},
	                                 {bin, "/../themes"}};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (!*places[i][0]) continue;
		int len = snprintf(out, size, "%s%s/%s.theme", places[i][0], places[i][1], name);
		if (len > 0 && (size_t)len < size && access(out, R_OK) == 0) return true;
	}
	return false;
}

int theme_load(theme *t, const char *name, wr_err *err)
{
	const colour unset = {-1, -1, -1};
	memset(t, 0, sizeof *t);
	t->bg = unset;
	for (int i = 0; i < ROLE_COUNT; i++) t->roles[i].fg = t->roles[i].bg = unset;
	snprintf(t->name, sizeof t->name, "%s", name);
	for (size_t i = 0; i < BUILTINS; i++)
		if (!strcmp(name, builtins[i].name))
			return theme_parse(t, builtins[i].text, strlen(builtins[i].text), name, err);
	/* A file says what it changes of the dark theme. */
	if (theme_parse(t, builtin_dark, sizeof builtin_dark - 1, "dark", err) != 0) return -1;
	char path[4096];
	if (strchr(name, '/') || strstr(name, ".theme")) return parse_file(t, name, err);
	if (find_file(name, path, sizeof path)) return parse_file(t, path, err);
	return wr_fail(err, WR_E_NOT_FOUND,
	               "no theme \"%.60s\": use dark, light, high-contrast, colour-blind, mono, one in "
	               "~/.config/warroom/themes, or a file",
	               name);
}
