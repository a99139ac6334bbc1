using Mirror.Configuration.Reading;
using Mirror.Oci;

namespace Mirror.Configuration;

/// <summary>
/// All of <c>mirror.yml</c>, in its order: read once, validated whole, never changed. A class is given its own branch, not the tree.
/// </summary>
/// <remarks>
/// A new option is a property of one of these records, a line in the <c>Read</c> beside it, and an entry in <c>mirror.yml</c>. The checks,
/// the override, <c>config show</c> and <c>config schema</c> follow from that line.
/// </remarks>
public sealed record MirrorConfiguration
{
    /// <summary>What is used where there is no configuration file: this machine only, and Docker Hub as the default registry.</summary>
    public static MirrorConfiguration Embedded { get; } = ConfigurationReader.Embedded();

    public ServerOptions Server { get; init; } = new();

    public StorageOptions Storage { get; init; } = new();

    /// <summary>Names that are our own, as they were given; none where the usual ones hold.</summary>
    public IReadOnlyList<RepositoryPattern> Local { get; init; } = [];

    /// <summary>Names that are our own: beside a default registry, those of one segment, unless told otherwise.</summary>
    public IReadOnlyList<RepositoryPattern> OwnNames => NamesOfOurOwn(Local, Registries);

    /// <summary>Every registry that may be contacted, in the order of the file.</summary>
    public IReadOnlyList<RegistryOptions> Registries { get; init; } = [];

    public AccessOptions Access { get; init; } = new();

    public SyncOptions Sync { get; init; } = new();

    public ObservabilityOptions Observability { get; init; } = new();

    internal static MirrorConfiguration Read(ConfigurationSection root)
    {
        var server = root.ReadSection("server", ServerOptions.Read, "How clients reach Mirror.");
        var storage = root.ReadSection("storage", StorageOptions.Read, "What Mirror keeps, and where.");
        var local = root.ReadList(
            "local",
            Kinds.RepositoryPattern,
            [],
            "Names that are this registry's own: pushed here, and never asked for elsewhere, but for those of one segment while no image is there. "
                + "Default: * (one segment) where there is a default registry, else ** (all).");
        var registries = RegistryOptions.ReadAll(root, server.Listen);
        return new MirrorConfiguration
        {
            Server = server,
            Storage = storage,
            Local = local,
            Registries = registries,
            Access = root.ReadSection("access", AccessOptions.Read, "Who may do what."),
            Sync = root.ReadSection(
                "sync", section => SyncOptions.Read(section, registries, NamesOfOurOwn(local, registries)), "What is copied between registries, and when."),
            Observability = root.ReadSection("observability", ObservabilityOptions.Read, "What Mirror says about itself."),
        };
    }
    private static IReadOnlyList<RepositoryPattern> NamesOfOurOwn(IReadOnlyList<RepositoryPattern> local, IReadOnlyList<RegistryOptions> registries) =>
        local.Count > 0 ? local : [RepositoryPattern.Parse(registries.Any(registry => registry.Default) ? "*" : "**")];
}
