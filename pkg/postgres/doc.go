// Package postgres rotates the login that an application has at a PostgreSQL server: a [rotation.Server] of alternating
// logins over one owner role.
//
// The login in use at the first rotation is adopted as the owner of everything that the application makes. Each new
// login (backend_v2, backend_v3, …) is a member of the owner and acts as it from its first statement on, by
// ALTER ROLE backend_v2 SET role TO backend. Objects made under any generation belong to the owner, so that
// nothing has to be reassigned, no table is locked, and a login can be dropped without a trace. An adopted login is never
// dropped: at the end of the first rotation it loses LOGIN and its password, and stays as the owner.
//
// That is the strategy to choose. Two others are there for those who cannot: [Clone] copies grants to a new login, and
// [SingleLogin] changes the password of one that has to stay.
//
// Every effect is one transaction, under an advisory lock that all operators share, with the fence called inside the
// lock. Roles belong to the whole cluster, so one transaction is enough; grants that are copied or taken follow in one for each
// database, under the same lock, and a login that lacks some is altered. An operator who stalls in the middle has his
// transaction ended by the server itself, and nothing is done.
//
// Passwords never reach the server in SQL: it is given SCRAM-SHA-256 verifiers that are computed here.
//
// What proves a credential is a login with it at which the server asked for the password and, as SCRAM makes it, showed
// that it knows the verifier. Where a path lets anybody in (the official image trusts loopback, which is where a
// port-forward comes from), the verifier in the catalogue is compared instead, and the proof says so.
package postgres
