// Package gate looks at how an application fares: what its pods answer, what users get at its address, what its monitoring
// counts, what it logs. Each type is one look, the Look of a [rotation.Gate]; it changes nothing.
//
// A look that could not be made is an error, which neither passes nor fails a gate. What it says never holds a value: lines of
// logs go through Redact, and addresses that are secret are not for gates.
package gate
