using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>Other registries tell what was pushed to them.</summary>
public sealed record EventOptions
{
    /// <summary>What who tells has to know; null where nobody may.</summary>
    public Secret? Secret { get; init; }

    internal static EventOptions Read(ConfigurationSection section)
    {
        var secret = section.Find("secret", Kinds.Password, "What registries send that tell of pushes, as Authorization: Bearer …, to POST /api/v1/events.");
        var secretFile = section.Find(
            "secretFile", Kinds.SecretFileIn(section.Folder), "A file that holds it. A relative path starts at the configuration file's directory.");
        if (section.Has("secret") && section.Has("secretFile"))
        {
            section.Fault("secretFile", "there is a secret too: keep one of the two");
        }

        return new EventOptions { Secret = secret ?? secretFile?.Content };
    }
}
