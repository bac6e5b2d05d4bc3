// Package model holds the protocol of package queue as a model for the checker spin, and the test that checks it.
// README.md says what the model covers and what spin found.
package model
