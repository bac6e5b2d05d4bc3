package page

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
)

// defaultRealm is what browsers show without "stats realm".
const defaultRealm = "sluice statistics"

// authenticate finds out who asks; false: nobody known, and that was answered. Each user is compared, and in a time that does not
// depend on how much of a name or password is right.
func (s *Site) authenticate(w http.ResponseWriter, r *http.Request) (user string, ok bool) {
	if len(s.page.Users) == 0 {
		return "", true
	}
	name, password, given := r.BasicAuth()
	sum := func(name, password string) []byte {
		both := sha256.Sum256([]byte(name + ":" + password)) // a name has no colon (RFC 7617)
		return both[:]
	}
	got, found := sum(name, password), 0
	for _, u := range s.page.Users {
		found |= subtle.ConstantTimeCompare(got, sum(u.Name, u.Password))
	}
	if given && found == 1 {
		return name, true
	}
	realm := s.page.Realm
	if realm == "" {
		realm = defaultRealm
	}
	realm = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", " ", "\n", " ").Replace(realm)
	w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`", charset="UTF-8"`)
	text(w, http.StatusUnauthorized, "This page asks for a user and a password.\n")
	return "", false
}

// tokens tell requests of the page's own script from those that another page makes a browser send: only who can read the page's
// data has one. They hold until the process ends.
type tokens struct{ key [32]byte }

func newTokens() tokens {
	var t tokens
	rand.Read(t.key[:]) // never fails (crypto/rand)
	return t
}

// of gives a user's token.
func (t *tokens) of(user string) string {
	m := hmac.New(sha256.New, t.key[:])
	m.Write([]byte(user))
	return hex.EncodeToString(m.Sum(nil))
}

func (t *tokens) valid(user, token string) bool {
	return subtle.ConstantTimeCompare([]byte(t.of(user)), []byte(token)) == 1
}
