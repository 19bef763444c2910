/* theme.c: parsing themes, and the nearest colour of a poorer terminal. */
#include "theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "warroom/io.h"

static const char builtin_dark[] =
    "bg = default\nfg = #d0d0d0\ndim = #808080\naccent = #5fafff\nborder = #5f6f7f\nborder_focus = "
    "#5fafff, bold\n"
    "title = #afd7ff, bold\nselect = #ffffff, bold\nselect.bg = #264f78\nhint_key = #ffd75f, "
    "bold\nhint_text = #a8a8a8\nmatch = #ffd75f, bold\n"
    "sev1 = #ff5f5f, bold\nsev2 = #ff875f, bold\nsev3 = #ffd75f\nsev4 = #d7d7af\nok = "
    "#87d787\nstale = #8a8a8a\nunknown = #d7afff\n"
    "info = #87afd7\nbanner = #ffffff, bold\nbanner.bg = #af0000\ninput = #ffffff\ninput.bg = "
    "#303030\n";
static const char builtin_light[] =
    "bg = #ffffff\nfg = #1c1c1c\ndim = #606060\naccent = #005faf\nborder = #708090\nborder_focus = "
    "#005faf, bold\n"
    "title = #00408a, bold\nselect = #000000, bold\nselect.bg = #b8d8ff\nhint_key = #8a3a00, "
    "bold\nhint_text = #4e4e4e\nmatch = #8a3a00, bold\n"
    "sev1 = #b00000, bold\nsev2 = #a83800, bold\nsev3 = #7a5200\nsev4 = #5a5a00\nok = "
    "#006000\nstale = #6a6a6a\nunknown = #6a1b9a\n"
    "info = #005080\nbanner = #ffffff, bold\nbanner.bg = #a00000\ninput = #000000\ninput.bg = "
    "#e4e4e4\n";
static const char builtin_contrast[] =
    "bg = #000000\nfg = #ffffff\ndim = #c0c0c0\naccent = #00ffff, bold\nborder = "
    "#ffffff\nborder_focus = #ffff00, bold\n"
    "title = #ffff00, bold\nselect = #000000, bold\nselect.bg = #ffff00\nhint_key = #ffff00, "
    "bold\nhint_text = #ffffff\nmatch = #ffff00, bold\n"
    "sev1 = #ff8080, bold\nsev2 = #ffb060, bold\nsev3 = #ffff00, bold\nsev4 = #ffffa0\nok = "
    "#60ff60, bold\nstale = #c0c0c0\nunknown = #ffa0ff, bold\n"
    "info = #80d0ff\nbanner = #000000, bold\nbanner.bg = #ff8080\ninput = #000000\ninput.bg = "
    "#ffffff\n";
/* Okabe and Ito's palette: told apart with deuteranopia and protanopia. */
static const char builtin_cvd[] =
    "bg = default\nfg = #d0d0d0\ndim = #8a8a8a\naccent = #56b4e9\nborder = #6f7f8f\nborder_focus = "
    "#56b4e9, bold\n"
    "title = #9fd3f0, bold\nselect = #ffffff, bold\nselect.bg = #1f4e79\nhint_key = #f0e442, "
    "bold\nhint_text = #a8a8a8\nmatch = #f0e442, bold\n"
    "sev1 = #f08030, bold\nsev2 = #e69f00, bold\nsev3 = #f0e442\nsev4 = #d7d7af\nok = "
    "#56b4e9\nstale = #8a8a8a\nunknown = #cc79a7\n"
    "info = #9fd3f0\nbanner = #000000, bold\nbanner.bg = #e69f00\ninput = #ffffff\ninput.bg = "
    "#303030\n";
static const char builtin_mono[] =
    "bg = default\nfg = default\ndim = default, dim\naccent = default, bold\nborder = default, "
    "dim\nborder_focus = default, bold\n"
    "title = default, bold\nselect = default, reverse\nhint_key = default, bold\nhint_text = "
    "default\nmatch = default, reverse\n"
    "sev1 = default, bold, reverse\nsev2 = default, bold\nsev3 = default, bold\nsev4 = default\nok "
    "= default\nstale = default, dim\n"
    "unknown = default, underline\ninfo = default\nbanner = default, bold, reverse\ninput = "
    "default, underline\n";

static const struct {
	const char *name, *text;
} builtins[] = {{"dark", builtin_dark},
                {"light", builtin_light},
                {"high-contrast", builtin_contrast},
                {"colour-blind", builtin_cvd},
                {"mono", builtin_mono}};

static const char *const names16[] = {"black", "red",     "green", "yellow",
                                      "blue",  "magenta", "cyan",  "white"};
static const int rgb16[] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd,
                            0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                            0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};

static int cube(int v)
{
	return v < 48 ? 0 : v < 115 ? 1 : (v - 35) / 40;
}

int theme_index256(const colour *c)
{
	if (c->index >= 0 || c->rgb < 0) return c->index;
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
	if (c->index >= 0 && c->index < 16) return c->index;
	if (c->rgb < 0) return -1;
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

static int parse_colour(const char *s, colour *out)
{
	*out = (colour){-1, -1};
	if (!strcmp(s, "default")) return 0;
	if (*s == '#') {
		char *end;
		long v = strtol(s + 1, &end, 16);
		if (strlen(s) != 7 || *end) return -1;
		out->rgb = (int)v;
		return 0;
	}
	int bright = !strncmp(s, "bright-", 7) ? 8 : 0;
	for (int i = 0; i < 8; i++)
		if (!strcmp(s + (bright ? 7 : 0), names16[i])) {
			out->index = i + bright;
			out->rgb = rgb16[i + bright];
			return 0;
		}
	char *end;
	long n = strtol(s, &end, 10);
	if (end == s || *end || n < 0 || n > 255) return -1;
	out->index = (int)n;
	out->rgb = n < 16 ? rgb16[n] : 0x808080;
	return 0;
}

static char *trim(char *s)
{
	while (*s == ' ' || *s == '\t') s++;
	size_t n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1])) s[--n] = '\0';
	return s;
}

static int parse_attr(const char *s)
{
	static const char *const names[] = {"bold", "dim", "reverse", "underline"};
	for (int i = 0; i < 4; i++)
		if (!strcmp(s, names[i])) return 1 << i;
	return -1;
}

static int parse_line(theme *t, char *key, char *value, wr_err *err)
{
	char *dot = strstr(key, ".bg");
	bool ground = dot && !dot[3];
	if (ground) *dot = '\0';
	int r = -1;
	for (int i = 0; i < ROLE_COUNT; i++)
		if (!strcmp(key, role_name((role)i))) r = i;
	char *attrs = strchr(value, ',');
	if (attrs) *attrs++ = '\0';
	colour c;
	if (parse_colour(trim(value), &c) != 0)
		return wr_fail(err, WR_E_INVALID,
		               "\"%.40s\" is no colour: use #RRGGBB, 0-255, a name or default",
		               trim(value));
	if (!strcmp(key, "bg")) {
		t->bg = c;
		return 0;
	}
	if (r < 0) return wr_fail(err, WR_E_INVALID, "\"%.40s\" is no role", key);
	if (ground) {
		t->roles[r].bg = c;
		return 0;
	}
	t->roles[r].fg = c;
	t->roles[r].attrs = 0;
	while (attrs) {
		char *next = strchr(attrs, ',');
		if (next) *next++ = '\0';
		int a = parse_attr(trim(attrs));
		if (a < 0)
			return wr_fail(err, WR_E_INVALID,
			               "\"%.40s\" is no attribute: use bold, dim, reverse, underline",
			               trim(attrs));
		t->roles[r].attrs |= a;
		attrs = next;
	}
	return 0;
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
		if (!*s || (*s == '#')) continue;
		char *eq = strchr(s, '=');
		if (!eq) return wr_fail(err, WR_E_INVALID, "%s:%u: expected role = colour", file, line);
		*eq = '\0';
		if (parse_line(t, trim(s), trim(eq + 1), err) != 0)
			return wr_err_wrap(err, "%s:%u", file, line);
	}
	return 0;
}

int theme_load(theme *t, const char *name, wr_err *err)
{
	memset(t, 0, sizeof *t);
	for (int i = 0; i < ROLE_COUNT; i++) {
		t->roles[i].fg = (colour){-1, -1};
		t->roles[i].bg = (colour){-2, -1};
	}
	t->bg = (colour){-1, -1};
	for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
		if (!strcmp(name, builtins[i].name)) {
			snprintf(t->name, sizeof t->name, "%s", name);
			return theme_parse(t, builtins[i].text, strlen(builtins[i].text), name, err);
		}
	if (theme_parse(t, builtin_dark, sizeof builtin_dark - 1, "dark", err) != 0) return -1;
	if (!strchr(name, '/') && !strstr(name, ".theme"))
		return wr_fail(
		    err, WR_E_NOT_FOUND,
		    "no theme \"%.60s\": use dark, light, high-contrast, colour-blind, mono, or a file",
		    name);
	wr_buf text = WR_BUF_INIT(64u << 10);
	int rc = wr_read_file(&text, name, 64u << 10, WR_ANY, err);
	if (rc == 0) rc = theme_parse(t, wr_buf_cstr(&text), text.len, name, err);
	wr_buf_free(&text);
	snprintf(t->name, sizeof t->name, "%.31s", name);
	return rc;
}
