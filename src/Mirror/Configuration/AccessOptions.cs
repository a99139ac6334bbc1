using System.Net;
using Mirror.Configuration.Reading;
using Mirror.Oci;

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
    private static readonly Kind<Rights> Right = Kinds.Choice(("pull", Rights.Pull), ("push", Rights.Push), ("delete", Rights.Delete));

    /// <summary>What everybody may where no rule decides.</summary>
    public Rights Anonymous { get; init; } = Rights.Pull;

    /// <summary>A file of users as htpasswd writes it, or null where nobody can log in with a password.</summary>
    public string? Users { get; init; }

    /// <summary>The first that speaks of a repository and a client decides.</summary>
    public IReadOnlyList<AccessRule> Rules { get; init; } = [];

    /// <summary>Another authorization server, or null where only our own tokens count.</summary>
    public TokenIssuerOptions? Tokens { get; init; }

    /// <summary>Whether somebody may push.</summary>
    public bool MayBePushedTo => Anonymous.HasFlag(Rights.Push) || Users is not null || Tokens is not null || Rules.Any(rule => rule.Allow.HasFlag(Rights.Push));

    internal static AccessOptions Read(ConfigurationSection section) => new()
    {
        Anonymous = Sum(section.ReadList(
            "anonymous", Right, [Rights.Pull], "What everybody may where no rule says otherwise: pull, push, delete, or [] for nothing.")),
        Users = section.Find(
            "users", Kinds.PathIn(section.Folder), "A file of users and hashes of their passwords, as htpasswd -B and mirror user write it."),
        Rules = section.ReadSections("rules", ReadRule, "Who may do what with which repositories; the first that speaks of both decides."),
        Tokens = section.ReadSection("tokens", TokenIssuerOptions.Read, "Another authorization server, whose bearer tokens count too."),
    };

    private static AccessRule ReadRule(ConfigurationSection section)
    {
        var rule = new AccessRule(
            section.ReadList(
                "repositories",
                Kinds.RepositoryPattern,
                [],
                "Which repositories: full names, docker.io/library/alpine or team-a/app; * is any text within one part, ** one or more parts.",
                atLeast: 1),
            // An empty list is a fault: it says nobody, and would be everybody.
            section.ReadList(
                "users",
                Kinds.Username,
                [],
                "Which users: names, \"*\" for any that logged in, anonymous for those who did not. Everybody, if this is missing.",
                atLeast: 1),
            section.ReadList(
                "networks", Kinds.Network, [], "From which addresses, such as 10.0.0.0/8. From everywhere, if this is missing.", atLeast: 1),
            Sum(section.ReadList("allow", Right, [], "What they may: pull, push, delete, or [] for nothing.")));
        foreach (var key in (string[])["repositories", "allow"])
        {
            if (!section.Has(key))
            {
                section.Fault(key, "a rule has to say this");
            }
        }

        return rule;
    }

    private static Rights Sum(IEnumerable<Rights> rights) => rights.Aggregate(Rights.None, (all, right) => all | right);
}

/// <param name="Repositories">Of which repositories it speaks, by full names.</param>
/// <param name="Users">Names, <see cref="AnyUser"/> or <see cref="Nobody"/>; empty for everybody.</param>
/// <param name="Networks">Where the client has to be; empty for anywhere.</param>
/// <param name="Allow">What the client then may, and no more.</param>
public sealed record AccessRule(
    IReadOnlyList<RepositoryPattern> Repositories, IReadOnlyList<string> Users, IReadOnlyList<IPNetwork> Networks, Rights Allow)
{
    /// <summary>Any that logged in.</summary>
    public const string AnyUser = "*";

    /// <summary>Those who did not log in.</summary>
    public const string Nobody = "anonymous";
}
