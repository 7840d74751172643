// Package redisacl rotates the ACL user that an application has at a Redis or Valkey server: a [rotation.Server] over every
// node of it.
//
// The next user (backend_v2, backend_v3, …) has the rules of the one in use, to the letter, so that CLIENT LIST tells who still
// uses the old one. Where the application sends no user name, or the user is default, [TwoPasswords] gives one user two
// passwords instead; CLIENT LIST cannot tell these apart.
//
// ACL rules are not replicated. So every look and every effect is at every node: those that are configured, and those that they
// name as their replicas, their primary, or members of their cluster, found anew each time. A node that could not be
// reached is never taken for one that has nothing to say.
//
// Passwords never reach a server but in AUTH, which it keeps out of MONITOR and its slow log: everywhere else it is given their
// SHA-256.
//
// What is in a server's memory is lost at its restart unless it is saved: to the ACL file, or to its configuration. Whether it has
// been cannot be asked. So Install makes it visible: until it is saved, the user has one more password hash, which no password has
// ([unfinished]). A run that is killed in between leaves it there, and the next one knows that it has to save.
//
// Redis has no lock that an effect could be made under. Instead a run ends the connections of the runs before it when it comes to
// a node (see [Server.Alone]): an operator who stalls between the look at the record and the command finds his connection gone.
package redisacl
