// Package jwtkeys is a [rotation.System] for the keys that JSON Web Tokens are signed with.
//
// Who verifies reads the keys from the application's Secret, so nothing is told to a server: a new key is published beside
// the old one, and signs only once everybody knows it; the old one stays until the last token signed with it has expired.
//
// A [Layout] is how a set of keys stands in the Secret's data. With a way to ask pods, [Asked] proves what each of them
// makes of a token; without, [Unasked] leaves it at what they were handed.
//
// A key is of one kind, found out from its value: a secret that all share, or the private half of an RSA, EC or Ed25519 pair, as PEM or
// as a JSON Web Key. The next one is of the same kind, in the same form. Public halves and a set of them are written with it.
//
// Sources: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518 (JWA), RFC 7519 (JWT), RFC 7638 (thumbprints), RFC 8037 (EdDSA), RFC 8725 (best
// current practices).
package jwtkeys
