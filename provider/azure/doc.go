// Package azure carries out azlb's reads and writes on Azure Resource Manager.
//
// [New] takes a credential and returns a [Backend], a [provider.Provider]. Subscriptions are not configured: they are in the ids, and one
// backend serves as many as there are.
//
//	backend, err := azure.New(credential, &azure.Options{ScaleSets: vmss.Clients{}, Logger: slog.Default()})
//	...
//	reconciler := provider.NewReconciler(backend, cluster, nil)
//
// ScaleSets is of package vmss, a module of its own. It may be left out where no node is in a scale set, or where pools hold addresses (nodeIP);
// elsewhere, as on AKS by default, Services are held without it.
//
// # Reading
//
// [Backend.Observe] makes one list per type and resource group, with all its pages, and one GET per security group, virtual network and
// prefix, several at a time. What answers 403 or 404 is reported as unknown, not as absent. Bodies are kept as ARM sent them: the SDK's
// models, which drop what they do not know, see neither what is read nor what is written.
//
// # Writing
//
// [Backend.Do] compares the latest body it has with what the operation was planned against, lays our part over it and sends the result with
// If-Match, or If-None-Match for something new, so that no other writer's change is lost. The latest body is that of an observation or of
// an earlier write; it is read again when it is older than Options.MaxAge or after an answer that puts it in doubt. Long-running operations
// are polled to their end. When the context ends first, the answer is an error of kind [provider.Unknown] and the receipt has a token for
// [Backend.Resume].
//
// Refusals are [*provider.OpError] by ARM's error code, a failed long-running operation, which ARM reports with status 200, among them.
// Writes are sent once: whoever carries out a plan decides on another attempt. Reads and polls are tried again within Options.Retries.
package azure
