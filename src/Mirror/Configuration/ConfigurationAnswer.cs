using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>What reading a configuration came to.</summary>
public abstract record ConfigurationAnswer
{
    private ConfigurationAnswer()
    {
    }

    public sealed record Loaded : ConfigurationAnswer
    {
        private readonly IReadOnlyList<DeclaredKey> _keys;

        internal Loaded(MirrorConfiguration configuration, string source, IReadOnlyList<DeclaredKey> keys) =>
            (Configuration, Source, _keys) = (configuration, source, keys);

        public MirrorConfiguration Configuration { get; }

        /// <summary>The file's path as it was given, or "embedded default".</summary>
        public string Source { get; }

        /// <summary>The values that hold, as YAML: what was set, and the defaults of the rest; secrets as <c>***</c>.</summary>
        public string ToYaml() => EffectiveYaml.Write(_keys, Source);
    }

    /// <summary>All faults, in the order of the file; at least one.</summary>
    public sealed record Refused(IReadOnlyList<ConfigurationFault> Faults) : ConfigurationAnswer;
}
