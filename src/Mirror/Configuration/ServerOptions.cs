using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

public sealed record ServerOptions
{
    private static readonly ServerOptions Defaults = new();

    /// <summary>At least one.</summary>
    public IReadOnlyList<ListenAddress> Listen { get; init; } = [ListenAddress.Parse("127.0.0.1:5000")];

    internal static ServerOptions Read(ConfigurationSection section) => new()
    {
        Listen = section.ReadList(
            "listen",
            Kinds.ListenAddress,
            Defaults.Listen,
            "The address to listen on, or a list of them: host:port, where the host is an IP address (IPv6 in brackets), localhost, or * "
            + "for every address. Quote what begins with * or [.",
            atLeast: 1),
    };
}
