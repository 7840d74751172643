// Package secretdata knows how a credential stands in the data of a Secret: as keys for the login and the
// password, and inside the connection strings of other keys. It reads the credential that is there, and gives
// the keys that change when another one takes its place.
//
// Four forms of connection strings are understood, and found by looking: URLs of any scheme, JDBC URLs, libpq's
// key=value strings, and JSON documents that have such fields or strings in them. Each is edited in
// place: the login and the password are replaced, in the encoding of the spot they stand in, and every other
// byte stays. A connection string of another login is left alone.
//
// What is not understood is not guessed. A copy of the old password anywhere else, plain, encoded or hashed, would
// be wrong after the rotation and nobody would know; so it is an error, which names the key and never the value. The hashes that are
// compared are bare MD5, SHA-1, SHA-256 and SHA-512, PostgreSQL's own, SCRAM-SHA-256 verifiers and bcrypt, within a bound on the work. Of others,
// such as those of crypt(3) and argon2, nobody knows: [Layout.Remarks] names the keys that hold some.
package secretdata
