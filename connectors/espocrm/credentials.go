package espocrm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/go-resty/resty/v2"

	"github.com/callsync/callsync/connectors"
)

const apiPath = "/api/v1"

var errQuery = errors.New("it must not hold a query")

// access is how a connection proves who it is: an API key by itself, an API key with a secret that signs each request,
// or a user's name and password.
type access struct {
	apiKey, secretKey  string
	username, password string
}

func credentials(set connectors.Settings) (*access, error) {
	a := &access{
		apiKey: strings.TrimSpace(set.Secrets["api_key"]), secretKey: strings.TrimSpace(set.Secrets["secret_key"]),
		username: strings.TrimSpace(set.Config["username"]), password: set.Secrets["password"],
	}
	bad := func(field, public string) (*access, error) {
		return nil, &connectors.Error{Class: connectors.Invalid, Field: field, Public: public}
	}
	for field, key := range map[string]string{"api_key": a.apiKey, "secret_key": a.secretKey} {
		if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return bad(field, "The key holds characters that no key of EspoCRM has. Copy it from the API user again.")
		}
	}
	switch {
	case a.apiKey != "":
		return a, nil
	case a.username == "" || a.secretKey != "":
		return bad("api_key", "The API key is missing. Copy it from the API user in EspoCRM.")
	case strings.Contains(a.username, ":"):
		return bad("username", "A user name of EspoCRM holds no colon.")
	case a.password == "":
		return bad("password", "The password of the user is missing.")
	}
	return a, nil
}

// authorize adds the header. HMAC signs the method and the path below the API's address, without the query
// (Espo\Core\Authentication\Logins\Hmac, in hex since EspoCRM 8.4.1). A user's password goes as Basic authentication:
// with Espo-Authorization, EspoCRM would make an auth token for every request.
func (a *access) authorize(_ *resty.Client, r *http.Request) error {
	switch {
	case a.secretKey != "":
		_, resource, _ := strings.Cut(r.URL.EscapedPath(), apiPath)
		mac := hmac.New(sha256.New, []byte(a.secretKey))
		mac.Write([]byte(r.Method + " " + resource))
		r.Header.Set("X-Hmac-Authorization", base64.StdEncoding.EncodeToString([]byte(a.apiKey+":"+hex.EncodeToString(mac.Sum(nil)))))
	case a.apiKey != "":
		r.Header.Set("X-Api-Key", a.apiKey)
	default:
		r.SetBasicAuth(a.username, a.password)
	}
	return nil
}
