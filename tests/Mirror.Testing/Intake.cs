namespace Mirror.Testing;

/// <summary>What becomes of a request before its body is there.</summary>
internal sealed class Intake
{
    /// <summary>The answer, if the body is not even read.</summary>
    public Behaviour? Refusal { get; set; }

    /// <summary>The connection ends after so many bytes of the body.</summary>
    public long? DropAt { get; set; }
}
