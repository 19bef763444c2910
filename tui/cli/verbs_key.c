/* verbs_key.c: key new, key show. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "warroom/io.h"
#include "warroom/limits.h"
#include "warroom/seal.h"
#include "warroom/text.h"

#define LEAST_PASSPHRASE 8

static int print_public(const cli *c, const char *principal, const wr_pubkey *pub)
{
	wr_buf line = WR_BUF_INIT(1024);
	wr_pubkey_format(&line, pub);
	if (c->json) {
		json_t *j = json_pack("{s:s, s:s, s:s}", "principal", principal, "public_key",
		                      wr_buf_cstr(&line), "fingerprint", pub->fingerprint);
		cli_print_json(j);
		json_decref(j);
	} else {
		printf("fingerprint %s\nthe line for allowed_signers:\n%s namespaces=\"" WR_NS_APPROVAL
		       "\" %s\n",
		       pub->fingerprint, principal, wr_buf_cstr(&line));
	}
	wr_buf_free(&line);
	return EXIT_OK;
}

int sealed_public(const char *path, char principal[static 64], wr_pubkey *pub, wr_err *err)
{
	wr_buf text = WR_BUF_INIT(WR_SECRET_MAX);
	int rc = wr_read_file(&text, path, WR_SECRET_MAX, WR_PRIVATE, err);
	if (rc == 0) {
		rc = wr_seal_public(wr_buf_cstr(&text), text.len, principal, pub, err);
		/* The reason may quote the file, and that may be another secret. */
		bool ssh = !strncmp(wr_buf_cstr(&text), "-----BEGIN OPENSSH", 18);
		if (rc != 0)
			rc = wr_fail(err, WR_E_INVALID, "%s is %s", path,
			             ssh ? "an SSH key: sign with it like this: warroom pending ID --as NAME | "
			                   "ssh-keygen -Y sign -n " WR_NS_APPROVAL
			                   " -f KEY | warroom approve ID -"
			                 : "no sealed key: warroom key new makes one");
	}
	wr_buf_wipe(&text);
	return rc;
}

/* A key file is created, never replaced. */
static int create_file(const char *path, const wr_buf *text, wr_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return wr_fail(err, errno == EEXIST ? WR_E_CONFLICT : WR_E_IO, "%s: %s", path,
		               errno == EEXIST ? "exists; a key is never overwritten: name another file"
		                               : strerror(errno));
	int rc = wr_write_all(fd, text->data, text->len, err);
	if (rc == 0 && fsync(fd) != 0) rc = wr_fail(err, WR_E_IO, "%s: %s", path, strerror(errno));
	close(fd);
	if (rc != 0) unlink(path);
	return rc;
}

static int ask_twice(passphrase *p, wr_err *err)
{
	passphrase again = {0};
	int rc = passphrase_read(p, "New passphrase: ", err);
	if (rc == 0 && p->len < LEAST_PASSPHRASE)
		rc =
		    wr_fail(err, WR_E_INVALID, "a passphrase has at least %d characters", LEAST_PASSPHRASE);
	if (rc == 0) rc = passphrase_read(&again, "Once more: ", err);
	if (rc == 0 && (again.len != p->len || sodium_memcmp(again.text, p->text, p->len) != 0))
		rc = wr_fail(err, WR_E_INVALID, "the two passphrases differ; nothing was written");
	passphrase_free(&again);
	return rc;
}

int verb_key_new(cli *c)
{
	if (c->argc < 1 || c->argc > 2)
		return cli_usage(c, "key new needs a NAME, and may have a FILE");
	const char *name = c->argv[0];
	if (!wr_name_ok(name))
		return cli_usage(c, "a name has letters, digits and . _ @ -, at most 63");
	char path[512];
	snprintf(path, sizeof path, "%s%s", c->argc == 2 ? c->argv[1] : name,
	         c->argc == 2 ? "" : ".key");
	wr_err err = {0};
	passphrase p = {0};
	wr_buf text = WR_BUF_INIT(WR_SECRET_MAX);
	wr_pubkey pub;
	int rc = access(path, F_OK) == 0
	             ? wr_fail(&err, WR_E_CONFLICT,
	                       "%s exists; a key is never overwritten: name another file", path)
	             : 0;
	if (rc == 0) rc = ask_twice(&p, &err);
	if (rc == 0) rc = wr_seal_new(&text, &pub, name, p.text, p.len, WR_SEAL_MODERATE, &err);
	if (rc == 0) rc = create_file(path, &text, &err);
	passphrase_free(&p);
	wr_buf_wipe(&text);
	if (rc != 0) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	if (!c->json) printf("sealed key of %s in %s\n", name, path);
	return print_public(c, name, &pub);
}

int verb_key_show(cli *c)
{
	if (c->argc != 1) return cli_usage(c, "key show needs one FILE");
	wr_err err = {0};
	char principal[64];
	wr_pubkey pub;
	int rc = sealed_public(c->argv[0], principal, &pub, &err);
	if (rc != 0) {
		(void)cli_error(c, &err);
		return EXIT_USAGE;
	}
	return print_public(c, principal, &pub);
}
