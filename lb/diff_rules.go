package lb

// deed is a kind of change, as far as the order of a plan asks for it: what a write does to something that another write needs.
type deed uint8

const (
	makesAddress    deed = iota // creates or changes a public IP
	mendsAddress                // writes a public IP again whose last operation failed
	dropsAddress                // deletes a public IP
	upgradesAddress             // makes a basic public IP a standard one
	narrowsAddress              // takes an entry of its tags or its DNS label from a public IP
	namesAddress                // names a Service in the tags of a public IP
	releases                    // takes an address from a frontend, or the frontend
	serves                      // is the last write of a load balancer: what it makes serves afterwards
	recreates                   // makes a load balancer, public IP or private link service anew
	deletes                     // deletes what is made anew
	empties                     // takes everything from a load balancer that goes last
	dropsBalancer               // deletes a load balancer that goes last
	dropsRecorded               // deletes or takes over what only the tags of a load balancer tell of
	tagsBalancer                // makes the tags of a load balancer name a resource group
	makesRecorded               // makes something in a resource group that those tags name
	shuts                       // writes a security group before load balancers: denials, and what they hand over
	opens                       // writes a security group after load balancers
	endsDenial                  // takes a denial from an address
	unlists                     // takes an address out of a security group
	namesNew                    // names an address in a security group that another write makes known
	replaces                    // makes for a Service what another load balancer has for it
	retires                     // is the write of a load balancer that drops it there
	linksFrontend               // puts a private link service on a frontend
	dropsLink                   // deletes a private link service
	dropsConnection             // removes a connection of a private link service
	allowsLinks                 // switches off the policies of a subnet that private link services cannot be in
	writesPool                  // writes the members of one pool
	joinsPool                   // has an interface join a pool
	leavesPool                  // has an interface leave a pool
	dropsPool                   // is the write of a load balancer that drops a pool
	migratesPools               // lets ARM make pools of interfaces pools of addresses
	turnsPool                   // makes a pool of interfaces one of addresses
	writesModel                 // writes the model of a scale set
	writesInstance              // writes an instance of a scale set
	firstState                  // is the earlier of two writes of one security group
	secondState                 // is the later one
)

// orderRule says that a write comes after another one, whenever the two do this to the same thing.
type orderRule struct {
	first, second deed
	name          Edge
	hard          bool // else it is given up where it would close a circle with hard ones
	risk          Risk // of the second write, where a circle leaves no way to keep the rule; may be empty
	text          string
}

// orderRules is the order of all plans: no step waits for another one but by a row of it, or because both write below one parent. Where steps would
// wait for each other in a circle, upper rows are kept: what Azure refuses otherwise, what lets somebody in, what cuts somebody off, the soft ones.
var orderRules = []orderRule{
	{makesAddress, namesNew, "address-known", true, "", "the address is known once the public IP is written"},
	{serves, namesNew, "frontend-address-known", true, "", "the address is known once the load balancer is written"},
	{makesAddress, serves, "address-first", true, "", "a public IP is as it should be before a frontend has it"},
	{mendsAddress, releases, "mended-first", true, "", "Azure refuses what refers to a public IP whose last operation failed"},
	{namesAddress, serves, "named-first", true, "", "the tags of a public IP name a Service before it is served there"},
	{releases, dropsAddress, "detached-first", true, "", "a public IP can be deleted once no frontend has it"},
	{releases, upgradesAddress, "upgraded-detached", true, "", "a public IP can be upgraded while no frontend has it"},
	{releases, serves, "freed-then-taken", true, "", "an address is given up before another frontend takes it"},
	{deletes, recreates, "gone-then-anew", true, "", "it is deleted before it is made anew under its name"},
	{empties, dropsBalancer, "emptied-first", true, "", "a load balancer that goes last is emptied before"},
	{dropsRecorded, dropsBalancer, "recorded-to-the-end", true, "", "only the tags of the load balancer tell of it, so the load balancer goes last"},
	{tagsBalancer, makesRecorded, "recorded-first", true, "", "the tags of the load balancer name the resource group before something is made there"},
	{dropsLink, releases, "link-before-frontend-goes", true, "", "a frontend cannot go while a private link service is on it"},
	{allowsLinks, linksFrontend, "policies-first", true, "", "the subnet cannot have a private link service before its policies are off"},
	{serves, joinsPool, "pool-before-members", true, "", "an interface can join a pool that is there"},
	{writesPool, joinsPool, "addresses-before-interfaces", true, "", "a pool has either addresses or interfaces, and each that joins changes the load balancer"},
	{leavesPool, dropsPool, "left-before-pool-goes", true, "", "interfaces leave a pool before it goes"},
	{serves, leavesPool, "balancer-before-leaving", true, "", "each interface that leaves changes the load balancer, which is written first"},
	{writesPool, leavesPool, "pool-before-leaving", true, "", "each interface that leaves changes the load balancer, whose pools are written first"},
	{serves, migratesPools, "balancer-before-migration", true, "", "the load balancer is written before its pools are migrated"},
	{serves, turnsPool, "balancer-before-pool", true, "", "the load balancer is written before what becomes a pool of addresses"},
	{leavesPool, turnsPool, "left-before-addresses", true, "", "all interfaces leave before the pool becomes one of addresses"},
	{writesModel, writesInstance, "model-first", true, "", "the model of a scale set is written before its instances"},
	{shuts, serves, "denied-first", true, RiskExposure, "a denial stands before what it is about is served"},
	{releases, endsDenial, "denied-to-the-end", true, RiskExposure, "a denial stays until nothing is served at the address"},
	{serves, opens, "served-then-opened", true, RiskExposure, "what a load balancer serves is opened afterwards, and what it serves no more is closed afterwards"},
	{firstState, secondState, "states-in-turn", true, RiskExposure, "the states of a security group come one after the other"},
	{unlists, dropsAddress, "unlisted-first", true, RiskExposure, "an address leaves the security group before it is given up, and may be somebody else's"},
	{serves, narrowsAddress, "narrowed-last", true, RiskTraffic, "the tags or the DNS label of a public IP are taken away once nobody is served by them"},
	{serves, linksFrontend, "frontend-before-link", true, RiskTraffic, "a private link service needs its frontend"},
	{dropsConnection, dropsLink, "connections-first", true, RiskTraffic, "a private link service can be deleted once it has no connections"},
	{joinsPool, leavesPool, "joined-before-left", true, RiskTraffic, "what replaces the members of a pool joins before they leave"},
	{migratesPools, turnsPool, "migrated-first", true, RiskTraffic, "the pool is migrated before its addresses are written"},
	{migratesPools, leavesPool, "migrated-before-left", true, RiskTraffic, "the pool is migrated before its interfaces leave"},
	{replaces, retires, "replaced-first", false, RiskTraffic, "what replaces it for its Service is there before"},
	{opens, retires, "opened-before-retired", false, RiskTraffic, "what replaces it for its Service is open before"},
}
