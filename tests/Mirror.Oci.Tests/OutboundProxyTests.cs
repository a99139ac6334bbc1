using System.Net;
using Mirror.Oci.Remote;

namespace Mirror.Oci.Tests;

public sealed class OutboundProxyTests
{
    private static readonly Uri Configured = new("http://proxy.example:3128");

    [Theory]
    [InlineData("http://127.0.0.1:5001/v2/")]
    [InlineData("http://127.0.0.2:5001/v2/")]
    [InlineData("http://[::1]:5001/v2/")]
    [InlineData("http://localhost:5001/v2/")]
    public void A_registry_on_this_machine_is_reached_without_the_proxy(string url)
    {
        var proxy = new OutboundProxy(new WebProxy(Configured));

        Assert.True(proxy.IsBypassed(new Uri(url)));
        Assert.Null(proxy.GetProxy(new Uri(url)));
    }

    [Theory]
    [InlineData("https://registry-1.docker.io/v2/")]
    [InlineData("http://10.0.0.1:5000/v2/")]
    public void Others_are_reached_as_the_operator_says(string url)
    {
        var proxy = new OutboundProxy(new WebProxy(Configured));

        Assert.False(proxy.IsBypassed(new Uri(url)));
        Assert.Equal(Configured, proxy.GetProxy(new Uri(url)));
        Assert.True(new OutboundProxy(new WebProxy(Configured, false, ["docker\\.io", "10\\.0\\.0\\.1"])).IsBypassed(new Uri(url)));
    }
}
