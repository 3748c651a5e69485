package conformance

import (
	"context"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/azure/vmss"
)

// door is a way to a cloud. What is announced or pending holds for all of them.
type door struct {
	name string // of the subtests, after their part
	open func(*fake.Cloud) (provider.Provider, error)
}

// doors are the cloud itself, which alone says what is pending, and Azure's SDK over ARM JSON.
var doors = []door{
	{open: func(c *fake.Cloud) (provider.Provider, error) { return c, nil }},
	{name: "/sdk", open: throughSDK},
}

// pageSize makes lists of more than a page.
const pageSize = 2

func throughSDK(c *fake.Cloud) (provider.Provider, error) {
	transport := armfake.New(c, &armfake.Options{PageSize: pageSize})
	return azure.New(credential{}, &azure.Options{Transport: transport, Clock: c.Clock(), ScaleSets: vmss.Clients{}})
}

// credential always has a token.
type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "conformance", ExpiresOn: time.Now().Add(time.Hour)}, nil
}
