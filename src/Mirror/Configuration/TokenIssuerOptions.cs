using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>Another authorization server, whose tokens count too.</summary>
/// <param name="Issuer">What its tokens say of whom they are (<c>iss</c>).</param>
/// <param name="Service">What its tokens say of whom they are for (<c>aud</c>).</param>
/// <param name="Keys">A file of its public keys, as <see cref="TokenKeys.Read"/> reads it.</param>
/// <param name="Realm">Where clients are sent for its tokens; null where they are sent to ours.</param>
public sealed record TokenIssuerOptions(string Issuer, string Service, string Keys, Uri? Realm)
{
    /// <returns>Null where nothing is said of it.</returns>
    internal static TokenIssuerOptions? Read(ConfigurationSection section)
    {
        var issuer = section.Find("issuer", Kinds.Phrase, "What the tokens say of whom they are, in iss.");
        var service = section.Find("service", Kinds.Phrase, "What the tokens say of whom they are for, in aud, and what clients are told to ask for.");
        var keys = section.Find(
            "keys",
            Kinds.TokenKeysIn(section.Folder),
            "A file of the issuer's public keys: PEM with public keys or certificates, or a JSON Web Key Set. It is read again when it changes.");
        var realm = section.Find("realm", Kinds.RealmUrl, "Where clients get the tokens. Without it they are sent to Mirror's own /token.");
        string[] required = ["issuer", "service", "keys"];
        if (!required.Append("realm").Any(section.Has))
        {
            return null;
        }

        foreach (var key in required.Where(key => !section.Has(key)))
        {
            section.Fault(key, "tokens of another issuer need this");
        }

        return new TokenIssuerOptions(issuer ?? "", service ?? "", keys ?? "", realm);
    }
}
