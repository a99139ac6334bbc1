using Mirror.Access.Tokens;
using Mirror.Configuration;
using Mirror.Oci;

namespace Mirror.Access;

/// <summary>A repository, as rules name it and as the client has.</summary>
/// <param name="FullName">What rules speak of: docker.io/library/alpine, team-a/app.</param>
/// <param name="AskedFor">What stands in the path: clients ask for tokens with that.</param>
/// <param name="IsPlain">Whether nothing beside that name says which repository is meant.</param>
public readonly record struct Target(string FullName, string AskedFor, bool IsPlain)
{
    /// <summary>A repository of our own, under its only name.</summary>
    public static Target Own(RepositoryName name) => new($"{name}", $"{name}", IsPlain: true);
}

/// <summary>What would give a visitor what it may not do now.</summary>
public enum Remedy
{
    None,

    /// <summary>To log in, as somebody who may.</summary>
    Login,

    /// <summary>A token that was asked for with this repository and right.</summary>
    Scope,
}

/// <summary>Who sent a request, and what may be done in its name.</summary>
public sealed class Visitor
{
    private readonly Permissions _permissions;
    private readonly Client _client;
    private readonly Grant? _limit;
    private readonly Grant? _gift;

    private Visitor(Permissions permissions, Client client, Grant? limit, Grant? gift) =>
        (_permissions, _client, _limit, _gift) = (permissions, client, limit, gift);

    /// <summary>Its name; null where it has shown none.</summary>
    public string? User => _client.User;

    public Client Client => _client;

    /// <summary>Whose its uploads are. Another server's user is not ours of the same name: no name of ours has a colon.</summary>
    public string? Owner => _gift is null || User is null ? User : $":{User}";

    /// <summary>A client that has shown who it is by a password or a certificate, or has not tried.</summary>
    public static Visitor Of(Permissions permissions, Client client) => new(permissions, client, limit: null, gift: null);

    /// <summary>One with a token of our own: it may what its user may, of that for which the token was asked.</summary>
    public static Visitor WithToken(Permissions permissions, Client client, Grant limit) => new(permissions, client, limit, gift: null);

    /// <summary>One with a token of another server, which has decided for us: rules do not speak of its users.</summary>
    public static Visitor WithForeignToken(Permissions permissions, Client client, Grant gift) => new(permissions, client, limit: null, gift);

    public bool May(Rights wanted, RepositoryName own) => May(wanted, Target.Own(own));

    public bool May(Rights wanted, Target target) => RightsTo(target).HasFlag(wanted);

    /// <summary>Whether it may read what our credentials can read of a repository upstream, and others can not.</summary>
    public bool IsNamedReader(Target target) => _gift is not null
        ? Given(_gift, target).HasFlag(Rights.Pull)
        : _permissions.IsNamedReader(_client, target.FullName) && (_limit is null || Asked(_limit, target).HasFlag(Rights.Pull));

    /// <summary>What would help, where it may not do what it wants.</summary>
    public Remedy FindRemedy(Rights wanted, Target target) =>
        _gift is not null ? Remedy.Scope
        : _client.User is not null ? (_permissions.Of(_client, target.FullName).HasFlag(wanted) ? Remedy.Scope : Remedy.None)
        : _permissions.CouldLoginGive(wanted, _client.Address, target.FullName) ? Remedy.Login
        : Remedy.None;

    /// <summary>The same where it is no <see cref="IsNamedReader"/>.</summary>
    public Remedy FindNaming(Target target) =>
        _gift is not null ? Remedy.Scope
        : _client.User is not null ? (_permissions.IsNamedReader(_client, target.FullName) ? Remedy.Scope : Remedy.None)
        : _permissions.CouldLoginName(_client.Address, target.FullName) ? Remedy.Login
        : Remedy.None;

    /// <summary>Whether it may see a list of repositories, which has those that it may pull.</summary>
    /// <param name="registry">Those of this registry alone; null for all.</param>
    public bool MayList(string? registry) => _gift?.Catalog ?? (_limit?.Catalog ?? true) && _permissions.MayPullSomething(_client, registry);

    /// <summary>What would help, where it may not see a list.</summary>
    public Remedy FindListRemedy(string? registry) =>
        _gift is not null ? Remedy.Scope
        : _client.User is not null ? (_permissions.MayPullSomething(_client, registry) ? Remedy.Scope : Remedy.None)
        : _permissions.RewardsLogin ? Remedy.Login
        : Remedy.None;

    /// <summary>Whether a list that it may see has a repository.</summary>
    public bool MaySee(string fullName) => _gift is not null || _permissions.Of(_client, fullName).HasFlag(Rights.Pull);

    /// <summary>Whether a list that it may see has what only a named reader may read of a repository.</summary>
    public bool MaySeeHidden(string fullName) => _gift is not null || _permissions.IsNamedReader(_client, fullName);

    private Rights RightsTo(Target target)
    {
        if (_gift is not null)
        {
            return Given(_gift, target) | Everybodys(target);
        }

        var rights = _permissions.Of(_client, target.FullName);
        return _limit is null ? rights : rights & (Asked(_limit, target) | Everybodys(target));
    }

    /// <summary>A token never gives less than none would.</summary>
    private Rights Everybodys(Target target) => _permissions.Of(_client with { User = null }, target.FullName);

    /// <summary>Another server gives rights to names. Where more than the name says what is meant, the full name alone is what it may have meant.</summary>
    private static Rights Given(Grant gift, Target target) =>
        gift.RightsOf(target.FullName) | (target.IsPlain ? gift.RightsOf(target.AskedFor) : Rights.None);

    /// <summary>Clients ask for the name as they know it, whatever registry that is in; what the user may there is asked too.</summary>
    private static Rights Asked(Grant limit, Target target) => limit.RightsOf(target.FullName) | limit.RightsOf(target.AskedFor);
}
