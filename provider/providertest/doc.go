// Package providertest is the suite that every [provider.Provider] must pass: [Run]. It needs a resource group in which nothing is but what
// [Seed] describes.
package providertest
