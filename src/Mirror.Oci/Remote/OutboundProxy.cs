using System.Net;

namespace Mirror.Oci.Remote;

/// <summary>
/// The operator's proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY), but not for this machine itself: the proxy would take it for its own machine.
/// The tools that pull and push images have it the same way.
/// </summary>
internal sealed class OutboundProxy(IWebProxy configured) : IWebProxy
{
    public ICredentials? Credentials
    {
        get => configured.Credentials;
        set => configured.Credentials = value;
    }

    public Uri? GetProxy(Uri destination) => IsBypassed(destination) ? null : configured.GetProxy(destination);

    public bool IsBypassed(Uri host) => host.IsLoopback || configured.IsBypassed(host);
}
