// With golang-jwt 5 (github.com/golang-jwt/jwt) and keyfunc 3 (github.com/MicahParks/keyfunc). Tried by hand.
package neighbour

import (
	"context"
	"errors"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

var parser = jwt.NewParser(
	jwt.WithValidMethods([]string{"ES256"}),
	jwt.WithIssuer("https://example.org"),
	jwt.WithAudience("https://example.org"),
	jwt.WithExpirationRequired(),
	jwt.WithStrictDecoding(),
)

// For unknown kids, at most every five seconds.
func Keys(ctx context.Context) (keyfunc.Keyfunc, error) {
	return keyfunc.NewDefaultOverrideCtx(ctx, []string{"https://example.org/.well-known/jwks.json"}, keyfunc.Override{
		RefreshInterval:   5 * time.Minute,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(5*time.Second), 1),
		RateLimitWaitMax:  time.Second,
	})
}

func ClaimsOf(token string, keys keyfunc.Keyfunc) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	parsed, err := parser.ParseWithClaims(token, claims, keys.Keyfunc)
	if err != nil {
		return nil, err
	}
	if parsed.Header["typ"] != "at+jwt" {
		return nil, errors.New("not an access token")
	}
	return claims, nil
}
