using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>What may be done with a repository.</summary>
[Flags]
public enum Rights
{
    None = 0,

    Pull = 1,

    /// <summary>To upload, and to set tags.</summary>
    Push = 2,

    Delete = 4,
}

/// <summary>Who may do what.</summary>
public sealed record AccessOptions
{
    /// <summary>What everybody may.</summary>
    public Rights Anonymous { get; init; } = Rights.Pull;

    internal static AccessOptions Read(ConfigurationSection section) => new()
    {
        Anonymous = section.ReadList(
            "anonymous",
            Kinds.Choice(("pull", Rights.Pull), ("push", Rights.Push), ("delete", Rights.Delete)),
            [Rights.Pull],
            "What everybody may who can reach Mirror: pull, push, delete, or [] for nothing.")
            .Aggregate(Rights.None, (all, right) => all | right),
    };
}
