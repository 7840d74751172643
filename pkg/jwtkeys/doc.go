// Package jwtkeys is a [rotation.System] for the keys that JSON Web Tokens are signed with.
//
// Who verifies reads the keys from the application's Secret, so nothing is told to a server: a new key is published beside
// the old one, and signs only once everybody knows it; the old one stays until the last token signed with it has expired.
//
// A [Layout] is how a set of keys stands in the Secret's data. With a way to ask pods, [Asked] proves what each of them
// makes of a token; without, [Unasked] leaves it at what they were handed.
//
// Sources: RFC 7515 (JWS), RFC 7518 (JWA), RFC 7519 (JWT), RFC 8725 (best current practices).
package jwtkeys
